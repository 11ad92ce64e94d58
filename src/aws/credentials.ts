import { DrayError } from '../errors.ts'
import type { AwsCredentials } from './call.ts'
import { askContainer } from './container.ts'
import type { EcrRegistry } from './ecr-registry.ts'
import type { AwsKeySource, AwsSurroundings } from './key-source.ts'
import { assumeRole } from './web-identity.ts'

/**
 * The ways to keys, in AWS's own order: keys in the environment, a web identity (EKS, OpenID Connect), the agent of a
 * container (ECS, EKS Pod Identity, CodeBuild). Files of `aws configure` and the metadata service of EC2 are left to
 * `docker-credential-ecr-login`.
 */
export const awsKeySources: readonly AwsKeySource[] = [
  {
    variables: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    find: async ({ env }) => keysOf(env),
  },
  { variables: ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'], find: assumeRole },
  { variables: ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'], find: askContainer },
  { variables: ['AWS_CONTAINER_CREDENTIALS_FULL_URI'], find: askContainer },
]

/**
 * The keys for calls about a registry, from the first way that is open; undefined when none is.
 * @throws DrayError when that way fails: `UNAUTHORIZED`, `NETWORK`, `INTEGRITY`, `USAGE`, or what `readFile` throws
 */
export async function awsCredentials(
  surroundings: AwsSurroundings,
  registry: EcrRegistry,
): Promise<AwsCredentials | undefined> {
  const source = awsKeySources.find(({ variables }) => variables.every(name => surroundings.env[name]))
  return source?.find(surroundings, registry)
}

function keysOf(env: AwsSurroundings['env']): AwsCredentials {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN } = env
  if (AWS_ACCESS_KEY_ID.startsWith('ASIA') && !AWS_SESSION_TOKEN) {
    throw new DrayError('USAGE', 'AWS_ACCESS_KEY_ID is a temporary key, but AWS_SESSION_TOKEN is not set')
  }
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN,
  }
}
