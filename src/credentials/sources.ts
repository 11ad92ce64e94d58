import { isAbsolute, join } from 'node:path'
import { parseConfig } from './config-document.ts'
import { readConfigFile } from './config-file.ts'
import type { CredentialContext, CredentialSource } from './context.ts'
import type { HelperClient } from './credential-helper.ts'
import { environmentCredential } from './environment.ts'
import { findInConfig } from './find-in-config.ts'

/**
 * The places to look in, in order; the first that has an entry for the registry or repository wins:
 *
 * 1. `DRAY_USERNAME` and `DRAY_PASSWORD`, for the registry that they are meant for (`environmentCredential`)
 * 2. the file of `--authfile`, else of `REGISTRY_AUTH_FILE`
 * 3. the JSON text in `DOCKER_AUTH_CONFIG` (GitLab CI)
 * 4. docker's `config.json` in `DOCKER_CONFIG`, else in `~/.docker`
 * 5. Podman's `auth.json`: in the run-time folder, then in the configuration folder
 *
 * Credentials given as flags come before all of these and never get here.
 */
export function credentialSources(context: CredentialContext, helpers: HelperClient): CredentialSource[] {
  const authFile = explicitAuthFile(context)
  return [
    environmentSource(context),
    ...(authFile === undefined ? [] : [fileSource(authFile, helpers)]),
    ...(context.env.DOCKER_AUTH_CONFIG ? [textSource(context.env.DOCKER_AUTH_CONFIG, helpers)] : []),
    fileSource(dockerConfigFile(context), helpers),
    ...podmanAuthFiles(context).map(path => fileSource(path, helpers)),
    // The keychain of the operating system belongs here, last: one more CredentialSource.
  ]
}

/** The file that login and logout change: `--authfile`, else `REGISTRY_AUTH_FILE`, else docker's `config.json`. */
export function loginFile(context: CredentialContext): string {
  return explicitAuthFile(context) ?? dockerConfigFile(context)
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

function explicitAuthFile({ authFile, env }: CredentialContext): string | undefined {
  return authFile || env.REGISTRY_AUTH_FILE || undefined
}

function dockerConfigFile({ env, homeDir }: CredentialContext): string {
  return join(env.DOCKER_CONFIG || join(homeDir, '.docker'), 'config.json')
}

/** A relative path in one of these variables is to be ignored (XDG Base Directory Specification). */
function absolute(dir: string | undefined): string | undefined {
  return dir !== undefined && isAbsolute(dir) ? dir : undefined
}

function environmentSource(context: CredentialContext): CredentialSource {
  return async target => {
    const credential = environmentCredential(context, target.registry)
    return credential && { credential, origin: 'DRAY_USERNAME and DRAY_PASSWORD' }
  }
}

function textSource(text: string, helpers: HelperClient): CredentialSource {
  const name = 'DOCKER_AUTH_CONFIG'
  return async target => findInConfig(parseConfig(text, name), target, { name, helpers })
}

function fileSource(path: string, helpers: HelperClient): CredentialSource {
  return async target => {
    const config = await readConfigFile(path)
    return config && findInConfig(config, target, { name: path, helpers })
  }
}
