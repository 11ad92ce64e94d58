import * as z from 'zod/mini'
import { checkAnswer } from '../../aws/answer.ts'
import { awsKeySources } from '../../aws/credentials.ts'
import { ecrCall } from '../../aws/ecr-call.ts'
import { parseEcrRegistry } from '../../aws/ecr-registry.ts'
import type { AwsKeySource } from '../../aws/key-source.ts'
import { DrayError } from '../../errors.ts'
import type { Cloud, CloudContext, LastingCredential } from './cloud.ts'

const grantSchema = z.object({
  authorizationToken: z.string().check(z.minLength(1)),
  /** Seconds since 1970. */
  expiresAt: z.optional(z.nullable(z.number())),
})
/** A private registry answers with a list of one, the public one with the grant alone. */
const answerSchema = z.object({ authorizationData: z.union([z.tuple([grantSchema]), grantSchema]) })

/** A password for Amazon ECR (GetAuthorizationToken, good for 12 hours), had with AWS keys. */
export function amazon(context: CloudContext): Cloud {
  return {
    name: 'Amazon ECR',
    isFor: registry => parseEcrRegistry(registry) !== undefined,
    ways: awsKeySources.map(source => ({
      variables: source.variables,
      find: registry => findPassword(context, source, registry),
    })),
  }
}

async function findPassword(
  { env, readFile, ask, now }: CloudContext,
  source: AwsKeySource,
  name: string,
): Promise<LastingCredential | undefined> {
  const registry = parseEcrRegistry(name)
  if (ask === undefined || registry === undefined) return undefined
  const credentials = await source.find({ env, readFile, ask }, registry)
  if (credentials === undefined) return undefined
  const answer = await ecrCall(ask, { registry, action: 'GetAuthorizationToken', credentials, now })
  const { authorizationData } = checkAnswer(answerSchema, answer, `the answer of ${registry.apiHost}`)
  const grant = Array.isArray(authorizationData) ? authorizationData[0] : authorizationData
  const [, username, password] =
    /^([^:]+):(.+)$/s.exec(Buffer.from(grant.authorizationToken, 'base64').toString('utf8')) ?? []
  if (!username || !password) {
    throw new DrayError('INTEGRITY', `the answer of ${registry.apiHost} holds no username and password`)
  }
  return {
    credential: { kind: 'basic', username, password },
    expiresAt: (grant.expiresAt ?? Infinity) * 1000,
  }
}
