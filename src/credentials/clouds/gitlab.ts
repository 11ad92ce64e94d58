import type { Cloud, CloudContext, CloudWay } from './cloud.ts'

/** A GitLab CI job's login for the registry of its GitLab, which `CI_REGISTRY` names. */
export function gitlabRegistry(context: CloudContext): Cloud {
  return jobLogin('GitLab CI', context, {
    host: 'CI_REGISTRY',
    user: 'CI_REGISTRY_USER',
    password: 'CI_REGISTRY_PASSWORD',
  })
}

/** A GitLab CI job's login for the dependency proxy of its GitLab, which `CI_DEPENDENCY_PROXY_SERVER` names. */
export function gitlabDependencyProxy(context: CloudContext): Cloud {
  return jobLogin('GitLab CI dependency proxy', context, {
    host: 'CI_DEPENDENCY_PROXY_SERVER',
    user: 'CI_DEPENDENCY_PROXY_USER',
    password: 'CI_DEPENDENCY_PROXY_PASSWORD',
  })
}

interface JobVariables {
  readonly host: string
  readonly user: string
  readonly password: string
}

function jobLogin(name: string, { env }: CloudContext, { host, user, password }: JobVariables): Cloud {
  const server = withoutHttpsPort((env[host] ?? '').toLowerCase())
  return {
    name,
    isFor: registry => server !== '' && withoutHttpsPort(registry) === server,
    ways: [
      basicWay([host, user, password], () => ({ username: env[user] ?? '', password: env[password] ?? '' })),
      basicWay([host, 'CI_JOB_TOKEN'], () => ({
        username: 'gitlab-ci-token',
        password: env.CI_JOB_TOKEN ?? '',
      })),
    ],
  }
}

function basicWay(
  variables: CloudWay['variables'],
  login: () => { readonly username: string; readonly password: string },
): CloudWay {
  return { variables, find: async () => ({ credential: { kind: 'basic', ...login() } }) }
}

/** GitLab writes `gitlab.com:443` where people write `gitlab.com`. */
function withoutHttpsPort(host: string): string {
  return host.replace(/:443$/, '')
}
