import * as z from 'zod/mini'
import { DrayError, quote } from '../errors.ts'
import { readAnswer, refusalError } from './answer.ts'
import type { AwsCredentials } from './call.ts'
import type { AwsSurroundings } from './key-source.ts'

const ecsAgent = 'http://169.254.170.2'
/** The agents of ECS and of EKS Pod Identity, and this machine. */
const agentHosts =
  /^(?:169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\]|localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

const keysSchema = z.object({
  AccessKeyId: z.string().check(z.minLength(1)),
  SecretAccessKey: z.string().check(z.minLength(1)),
  Token: z.optional(z.nullable(z.string())),
})

/**
 * Asks the agent that keeps a container's keys, where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI` says, with
 * the token of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN` if there is one (AWS SDKs
 * and Tools Reference Guide, "Container credential provider").
 * @throws DrayError `USAGE` for any other place than this machine and the known agents; `UNAUTHORIZED`, `NETWORK`,
 * `INTEGRITY`, or what `readFile` throws
 */
export async function askContainer(surroundings: AwsSurroundings): Promise<AwsCredentials> {
  const { env, readFile, ask } = surroundings
  const url = agentUrl(env)
  const tokenFile = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
  const token = tokenFile ? (await readFile(tokenFile)).trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
  if (token && /[\r\n]/.test(token)) {
    throw new DrayError('USAGE', 'the token of AWS_CONTAINER_AUTHORIZATION_TOKEN has more than one line')
  }
  const headers = { accept: 'application/json', ...(token ? { authorization: token } : {}) }
  const answer = await ask({ method: 'GET', url, headers })
  if (answer.status !== 200) throw refusalError(url.host, answer, (token ?? '').split(' '))
  const keys = readAnswer(keysSchema, answer, `the answer of ${url.host}`)
  return {
    accessKeyId: keys.AccessKeyId,
    secretAccessKey: keys.SecretAccessKey,
    sessionToken: keys.Token ?? undefined,
  }
}

function agentUrl(env: AwsSurroundings['env']): URL {
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  const full = env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? ''
  const text = relative ? `${ecsAgent}${relative}` : full
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && isAgent(url)) return url
  const variable = `AWS_CONTAINER_CREDENTIALS_${relative ? 'RELATIVE' : 'FULL'}_URI`
  const where = quote(url?.host || text)
  throw new DrayError('USAGE', `${variable} leads to ${where}, where no keys are asked for`, {
    hint: 'only this machine and the agents of ECS and EKS (169.254.170.2, 169.254.170.23, [fd00:ec2::23]) are asked',
  })
}

function isAgent({ protocol, hostname, username, password }: URL): boolean {
  return /^https?:$/.test(protocol) && agentHosts.test(hostname) && `${username}${password}` === ''
}
