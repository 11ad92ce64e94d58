import type { Credential } from '../credential.ts'
import { DrayError } from '../errors.ts'
import { readBounded } from '../files/read-bounded.ts'
import type { ConfigContext } from './context.ts'
import type { OwnEntry } from './own-file.ts'

/** A login that the configuration has for a registry or a part of it: a credential, or who keeps it. */
export interface LoginSetting {
  /** For people: `registries["ghcr.io"] in /home/x/.config/dray/config.yaml`. */
  readonly origin: string
  readonly credential?: Credential | undefined
  /** The NAME of a `docker-credential-NAME`. */
  readonly helper?: string | undefined
}

/** What can be told of a login without looking for its secret. */
export interface ListedLoginSetting {
  /** As of `LoginSetting`. */
  readonly origin: string
  /** What it is for: `ghcr.io`, `ghcr.io/org`, `*.example.com`. */
  readonly key: string
  readonly user?: string | undefined
  readonly kind?: Credential['kind'] | undefined
}

/** The largest file with a password that is read, in bytes; a cloud's key file is a few thousand. */
const maxPasswordBytes = 64 * 1024

/**
 * The login that an entry stands for, or undefined when it holds none.
 * @throws DrayError `USAGE` for a variable that is not set, `IO` for a file that cannot be read
 */
export async function loginOf(
  entry: OwnEntry,
  { env }: Pick<ConfigContext, 'env'>,
): Promise<LoginSetting | undefined> {
  const { username, identityTokenEnv, helper } = entry
  const origin = originOf(entry)
  if (helper !== undefined) return { origin, helper }
  if (identityTokenEnv !== undefined) {
    return { origin, credential: { kind: 'identity-token', token: variable(identityTokenEnv, env, origin) } }
  }
  if (username === undefined) return undefined
  return { origin, credential: { kind: 'basic', username, password: await passwordOf(entry, env, origin) } }
}

/** What an entry tells of its login, or undefined when it holds none. Reads nothing. */
export function listedLoginOf(entry: OwnEntry): ListedLoginSetting | undefined {
  const { username: user, identityTokenEnv, helper, key } = entry
  const origin = originOf(entry)
  if (helper !== undefined) return { origin: `helper docker-credential-${helper}, of ${origin}`, key }
  if (identityTokenEnv !== undefined) return { origin, key, kind: 'identity-token' }
  return user === undefined ? undefined : { origin, key, user, kind: 'basic' }
}

function originOf({ name, file }: OwnEntry): string {
  return `${name} in ${file}`
}

async function passwordOf(entry: OwnEntry, env: ConfigContext['env'], origin: string): Promise<string> {
  const { password, passwordEnv, passwordFile } = entry
  if (passwordEnv !== undefined) return variable(passwordEnv, env, origin)
  if (passwordFile === undefined) return password ?? ''
  const text = (await readBounded(passwordFile, maxPasswordBytes, 'IO')).toString('utf8')
  // The end of a line belongs to the file.
  return text.replace(/\r?\n$/, '')
}

/** To go on without the login that was meant would end in a refusal that says nothing of the variable. */
function variable(name: string, env: ConfigContext['env'], origin: string): string {
  const value = env[name]
  if (value) return value
  throw new DrayError('USAGE', `${origin}: the environment variable ${name} is not set`)
}
