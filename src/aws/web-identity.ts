import * as z from 'zod/mini'
import { checkAnswer, refusalError, xmlText } from './answer.ts'
import type { AwsCredentials } from './call.ts'
import type { EcrRegistry } from './ecr-registry.ts'
import type { AwsSurroundings } from './key-source.ts'

const keysSchema = z.object({
  accessKeyId: z.string().check(z.minLength(1)),
  secretAccessKey: z.string().check(z.minLength(1)),
  sessionToken: z.string().check(z.minLength(1)),
})

/**
 * Trades the web identity token in the file of `AWS_WEB_IDENTITY_TOKEN_FILE` for temporary keys of `AWS_ROLE_ARN`, at the
 * Security Token Service of the registry's region (AssumeRoleWithWebIdentity, which is not signed). Undefined for a role
 * of another partition than the registry's: the token must not go there.
 * @throws DrayError `UNAUTHORIZED`, `REGISTRY`, `NETWORK`, `INTEGRITY`, or what `readFile` throws
 */
export async function assumeRole(
  { env, readFile, ask }: AwsSurroundings,
  { partition, stsHost }: EcrRegistry,
): Promise<AwsCredentials | undefined> {
  const { AWS_ROLE_ARN: role = '', AWS_WEB_IDENTITY_TOKEN_FILE: path = '' } = env
  if (!role.startsWith(`arn:${partition}:`)) return undefined
  const token = (await readFile(path)).trim()
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: env.AWS_ROLE_SESSION_NAME || 'dray',
    WebIdentityToken: token,
  })
  const answer = await ask({
    method: 'POST',
    url: new URL(`https://${stsHost}/`),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  })
  if (answer.status !== 200) throw refusalError(stsHost, answer, [token])
  const keys = {
    accessKeyId: xmlText(answer.body, 'AccessKeyId'),
    secretAccessKey: xmlText(answer.body, 'SecretAccessKey'),
    sessionToken: xmlText(answer.body, 'SessionToken'),
  }
  return checkAnswer(keysSchema, keys, `the answer of ${stsHost}`)
}
