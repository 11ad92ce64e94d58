import { isAbsolute, join } from 'node:path'
import type { CredentialTarget } from '../credential.ts'
import { isDrayError } from '../errors.ts'
import { cloudLogins } from './cloud-places.ts'
import { parseConfig } from './config-document.ts'
import { readConfigFile } from './config-file.ts'
import { configPlace } from './config-place.ts'
import type { CredentialContext, LoginPlace } from './context.ts'
import type { HelperClient } from './credential-helper.ts'
import { environmentPlace } from './environment.ts'
import { askHelper } from './find-in-config.ts'
import { openKeychain } from './keychain.ts'

/** The places to look in. */
export interface CredentialPlaces {
  /** All of them, in order. What a file holds is read once for each call. */
  all(): Promise<LoginPlace[]>
  /** Those that may know the target, in the order in which they are asked; the clouds are only loaded for who comes there. */
  for(target: CredentialTarget): AsyncGenerator<LoginPlace>
}

/**
 * The places to look in, in order; the first that has an entry for the registry or repository wins:
 *
 * 1. `DRAY_USERNAME` and `DRAY_PASSWORD`, for the registry that they are meant for (`environmentCredential`)
 * 2. the file of `--authfile`, else of `REGISTRY_AUTH_FILE`
 * 3. dray's own configuration
 * 4. the JSON text in `DOCKER_AUTH_CONFIG` (GitLab CI)
 * 5. docker's `config.json` in `DOCKER_CONFIG`, else in `~/.docker`
 * 6. Podman's `auth.json`: in the run-time folder, then in the configuration folder
 * 7. the operating system's keychain, for what `dray login` has put there
 * 8. the variables of a CI job, for the CI's own registry
 * 9. the clouds' own variables, each for its own registries
 *
 * Of 5 to 7, where logins are kept, the one with the longest path that fits comes first, so that a login for
 * `ghcr.io/org` is not hidden by one for `ghcr.io`. Credentials given as flags come before all and never get here.
 */
export function credentialPlaces(context: CredentialContext, helpers: HelperClient): CredentialPlaces {
  const clouds = cloudLogins(context)
  return {
    all: async () => [
      ...givenPlaces(context, helpers),
      ...keptPlaces(context, helpers),
      ...(await clouds.all()),
    ],
    async *for(target) {
      yield* givenPlaces(context, helpers)
      yield* await byPath(keptPlaces(context, helpers), target)
      yield* await clouds.for(target)
    },
  }
}

/** The file that login and logout change: `--authfile`, else `REGISTRY_AUTH_FILE`, else docker's `config.json`. */
export function loginFile(context: CredentialContext): string {
  return explicitAuthFile(context) ?? dockerConfigFile(context)
}

/** The file that the user named for logins, by flag or variable. */
export function explicitAuthFile({ authFile, env }: CredentialContext): string | undefined {
  return authFile || env.REGISTRY_AUTH_FILE || undefined
}

/** Where Podman keeps its logins, in the order in which it looks (containers-auth.json(5)). */
export function podmanAuthFiles({ env, homeDir, platform, uid }: CredentialContext): string[] {
  const configDir = absolute(env.XDG_CONFIG_HOME) ?? join(homeDir, '.config')
  const fallback = join(configDir, 'containers', 'auth.json')
  if (platform === 'darwin' || platform === 'win32') return [fallback]
  const runtimeDir = absolute(env.XDG_RUNTIME_DIR)
  if (runtimeDir !== undefined) return [join(runtimeDir, 'containers', 'auth.json'), fallback]
  return uid === undefined ? [fallback] : [`/run/containers/${uid}/auth.json`, fallback]
}

/** What somebody gave for this run or this job. */
function givenPlaces(context: CredentialContext, helpers: HelperClient): LoginPlace[] {
  const authFile = explicitAuthFile(context)
  const text = context.env.DOCKER_AUTH_CONFIG
  const name = 'DOCKER_AUTH_CONFIG'
  return [
    environmentPlace(context),
    ...(authFile === undefined ? [] : [filePlace(authFile, helpers)]),
    ...configuredPlace(context, helpers),
    ...(text ? [configPlace({ name, read: async () => parseConfig(text, name), helpers })] : []),
  ]
}

/** Where logins are kept. */
function keptPlaces(context: CredentialContext, helpers: HelperClient): LoginPlace[] {
  const files = [dockerConfigFile(context), ...podmanAuthFiles(context)]
  const keychain = openKeychain(context, helpers)
  return [...files.map(path => filePlace(path, helpers)), ...(keychain === undefined ? [] : [keychain])]
}

async function byPath(places: readonly LoginPlace[], target: CredentialTarget): Promise<LoginPlace[]> {
  if (target.repository === undefined) return [...places]
  const ranked = await Promise.all(
    places.map(async place => ({ place, length: await lengthIn(place, target) })),
  )
  return ranked.sort((a, b) => b.length - a.length).map(({ place }) => place)
}

/** A place that cannot be read keeps its turn, and tells then; it may be that it never comes. */
async function lengthIn(place: LoginPlace, target: CredentialTarget): Promise<number> {
  try {
    return (await place.pathLength?.(target)) ?? 0
  } catch (error) {
    if (isDrayError(error)) return 0
    throw error
  }
}

function dockerConfigFile({ env, homeDir }: CredentialContext): string {
  return join(env.DOCKER_CONFIG || join(homeDir, '.docker'), 'config.json')
}

/** A relative path in one of these variables is to be ignored (XDG Base Directory Specification). */
function absolute(dir: string | undefined): string | undefined {
  return dir !== undefined && isAbsolute(dir) ? dir : undefined
}

function filePlace(path: string, helpers: HelperClient): LoginPlace {
  return configPlace({ name: path, read: () => readConfigFile(path), helpers })
}

/** None without a configuration. */
function configuredPlace(context: CredentialContext, helpers: HelperClient): LoginPlace[] {
  const { findConfigured, listConfigured } = context
  if (findConfigured === undefined) return []
  const place: LoginPlace = {
    name: "dray's configuration",
    async find(target) {
      const configured = await findConfigured(target)
      if (configured === undefined) return undefined
      const { credential, helper, origin } = configured
      if (credential !== undefined) return { credential, origin }
      const entry = await askHelper(helper, target, helpers)
      return entry && { ...entry, origin: `${entry.origin}, of ${origin}` }
    },
    list: async () => (await listConfigured?.()) ?? [],
  }
  return [place]
}
