import type { CredentialTarget } from '../credential.ts'
import type { CloudPlace } from './clouds/cloud-sources.ts'
import type { CredentialContext, ListedLogin, LoginPlace } from './context.ts'

/** The CI services and clouds as places of logins. */
export interface CloudLogins {
  all(): Promise<LoginPlace[]>
  /** Those whose registry the target is in. */
  for(target: CredentialTarget): Promise<LoginPlace[]>
}

/** Nothing of the clouds is loaded before it is asked for; they are opened once, as they remember what they answered. */
export function cloudLogins(context: CredentialContext): CloudLogins {
  const { env } = context
  let loading: Promise<CloudPlace[]> | undefined
  const clouds = () => {
    loading ??= import('./clouds/cloud-sources.ts').then(({ cloudPlaces }) => cloudPlaces(context))
    return loading
  }
  return {
    all: async () => (await clouds()).map(cloud => placeOf(cloud, env)),
    async for(target) {
      const own = (await clouds()).filter(cloud => cloud.describe(target) !== undefined)
      return own.map(cloud => placeOf(cloud, env))
    },
  }
}

function placeOf(cloud: CloudPlace, env: CredentialContext['env']): LoginPlace {
  const { name, find, describe } = cloud
  return {
    name,
    find,
    async lack(target) {
      const missing = describe(target)?.missing ?? []
      return missing.length > 0 ? `${missing.join(', ')} not set` : undefined
    },
    list: async () => listCloud(cloud, env),
  }
}

/** One of each cloud's registries: which variables count is the same for all of them. */
const examples = ['public.ecr.aws', 'gcr.io', 'example.azurecr.io']

/** The variables that are set, for the registry where there is only one. */
function listCloud({ name, describe }: CloudPlace, env: CredentialContext['env']): ListedLogin[] {
  const single = ['ghcr.io', env.CI_REGISTRY, env.CI_DEPENDENCY_PROXY_SERVER].filter(
    host => host !== undefined,
  )
  const isOpen = (registry: string) => describe({ registry })?.missing.length === 0
  const key = single.find(isOpen)
  const registry = key ?? examples.find(isOpen)
  if (registry === undefined) return []
  const variables = describe({ registry })?.set ?? []
  return [{ origin: `${name} (${variables.join(', ')})`, key }]
}
