import type { CredentialTarget } from '../credential.ts'
import type { ConfigContext } from './context.ts'
import { type ListedLoginSetting, type LoginSetting, listedLoginOf, loginOf } from './login.ts'
import { type OwnEntry, readOwnConfig } from './own-file.ts'
import type { ContainersEntry } from './parse-registries-conf.ts'
import { moved, type Place, parsePlace } from './place.ts'
import { readRegistriesConf } from './registries-conf.ts'
import type { RegistryEntry } from './schema.ts'
import { inScope, type Scoped } from './scope.ts'
import type {
  ConfigTarget,
  ConfiguredMirror,
  ConfiguredPlace,
  RegistrySettings,
  Setting,
} from './settings.ts'

/** What the user's and the system's files say of registries. */
export interface Config {
  /** All the files that were read. */
  readonly files: readonly string[]
  /**
   * How the registry of a target is to be met. Of each key the longest match counts, and dray's own configuration is
   * stronger than a `registries.conf`.
   * @throws DrayError `USAGE` for a mirror that does not fit
   */
  settingsFor(target: ConfiguredPlace): RegistrySettings
  /**
   * The login of the longest match that has one.
   * @throws DrayError `USAGE`, `IO`
   */
  findLogin(target: CredentialTarget): Promise<LoginSetting | undefined>
  /** All logins, without their secrets. */
  listLogins(): readonly ListedLoginSetting[]
}

/**
 * Reads dray's own configuration and containers' `registries.conf`.
 * @throws DrayError `USAGE` that names file and line, `IO`
 */
export async function openConfig(context: ConfigContext): Promise<Config> {
  const files: string[] = []
  const reading = { ...context, onRead: (file: string) => files.push(file) }
  const [own, containers] = await Promise.all([readOwnConfig(reading), readRegistriesConf(reading)])
  return {
    files: files.sort(),
    settingsFor: target => settingsFor(target, inScope(own, target), inScope(containers, target)[0]),
    findLogin: async target => {
      for (const { thing } of inScope(own, target)) {
        const login = await loginOf(thing, context)
        if (login !== undefined) return login
      }
      return undefined
    },
    listLogins: () => own.flatMap(entry => listedLoginOf(entry) ?? []),
  }
}

function settingsFor(
  target: ConfiguredPlace,
  own: readonly Scoped<OwnEntry>[],
  containers: Scoped<ContainersEntry> | undefined,
): RegistrySettings {
  const say = <Key extends keyof RegistryEntry>(key: Key) => ownSetting(own, key)
  const theirs = containers === undefined ? undefined : containersSettings(containers, target)
  const insecure = say('insecure')
  // It says two things at once, and only for those of whom nothing else is said.
  const unsafe = insecure === undefined ? (target.unsafe ?? theirs?.unsafe) : undefined
  const plain = unsafe && ({ ...unsafe, value: 'unless-tls' } as const)
  const headers = say('headers')
  return {
    mirrors: ownMirrors(own, target) ?? theirs?.mirrors,
    location: theirs?.location,
    blocked: say('blocked') ?? theirs?.blocked,
    plainHttp: target.plainHttp ?? say('plainHttp') ?? plain,
    insecure: insecure ?? unsafe,
    caFile: say('caFile'),
    certFile: say('certFile'),
    keyFile: say('keyFile'),
    jobs: say('jobs'),
    requestsPerSecond: say('requestsPerSecond'),
    headers: headers && { ...headers, value: lowerCased(headers.value) },
    provider: say('provider'),
  }
}

type Said<Key extends keyof RegistryEntry> = Setting<Exclude<RegistryEntry[Key], undefined>>

function ownSetting<Key extends keyof RegistryEntry>(
  own: readonly Scoped<OwnEntry>[],
  key: Key,
): Said<Key> | undefined {
  for (const { thing } of own) {
    const value: RegistryEntry[Key] = thing[key]
    if (value === undefined) continue
    return { value: value as Said<Key>['value'], origin: `${thing.name}.${key} in ${thing.file}` }
  }
  return undefined
}

function ownMirrors(
  own: readonly Scoped<OwnEntry>[],
  target: ConfigTarget,
): Setting<readonly ConfiguredMirror[]> | undefined {
  const setting = ownSetting(own, 'mirrors')
  const match = own.find(({ thing }) => thing.mirrors !== undefined)?.match
  if (setting === undefined || match === undefined) return undefined
  const { origin } = setting
  const value = setting.value.map(mirror => {
    const { location, pullFrom = 'all' } = typeof mirror === 'string' ? { location: mirror } : mirror
    const place = parsePlace(location)
    const { plainHttp } = place
    return {
      ...moved(place, target, match),
      pullFrom,
      plainHttp: plainHttp === undefined ? undefined : { value: plainHttp, origin },
    }
  })
  return { value, origin }
}

function containersSettings({ thing, match }: Scoped<ContainersEntry>, target: ConfigTarget) {
  const { file, prefix, mirrors, location, insecure, blocked } = thing
  const setting = <Value>(key: string, value: Value): Setting<Value> => ({
    value,
    origin: `${key} of ${prefix} in ${file}`,
  })
  const placed = (place: Place, isUnsafe: boolean, key: string): ConfiguredPlace => ({
    ...moved(place, target, match),
    plainHttp: place.plainHttp === undefined ? undefined : setting(key, place.plainHttp),
    unsafe: isUnsafe ? setting(`insecure of a ${key}`, true) : undefined,
  })
  return {
    unsafe: insecure ? setting('insecure', true) : undefined,
    blocked: blocked ? setting('blocked', true) : undefined,
    location: location && setting('location', placed(location, insecure, 'location')),
    mirrors:
      mirrors.length === 0
        ? undefined
        : setting(
            'mirror',
            mirrors.map(mirror => ({
              ...placed(mirror.place, mirror.insecure, 'mirror'),
              pullFrom: mirror.pullFrom,
            })),
          ),
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]),
  )
}
