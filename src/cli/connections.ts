import type { Config } from '../config/config.ts'
import type { ConfigTarget, ConfiguredMirror, ConfiguredPlace, RegistrySettings } from '../config/settings.ts'
import type { Credential, FindCredential } from '../credential.ts'
import type { CredentialContext } from '../credentials/context.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { unusedEnvironmentCredential } from '../credentials/environment.ts'
import { DrayError } from '../errors.ts'
import type { Transport } from '../http/send.ts'
import type { TraceEvent } from '../http/trace.ts'
import type { RegistryEvent } from '../registry/context.ts'
import type { Mirror } from '../registry/mirrors.ts'
import type { Registry } from '../registry/registry.ts'
import type { Repository } from '../registry/repository.ts'
import type { CliContext } from './context.ts'
import { keychainProgram } from './keychain-program.ts'
import type { OpenedRegistry } from './open-registry.ts'
import type { EndFlags } from './options.ts'
import { readPasswordFromStdin } from './password-stdin.ts'
import { webServices } from './web-services.ts'

export interface ConnectionsOptions {
  /** The registries that the command talks to, so that a credential of the environment goes to no second one. */
  readonly registries: readonly string[]
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
  /** Gets every request of the wire, for `--debug`. */
  readonly onTrace?: ((event: TraceEvent) => void) | undefined
  /** Where the system's own configuration lies; `/etc` unless told. */
  readonly etcDir?: string | undefined
}

/**
 * What a repository is opened for. Only what is read (`pull`) may come from a mirror; `own` is to be read from the registry
 * itself, as what is listed or deleted.
 */
export type Access = 'pull' | 'own' | 'pull,push'

/** A repository, and the reference in it that is meant, if one is. */
export interface RepositoryTarget extends ConfigTarget {
  readonly repository: string
}

/** Opens registries as the flags, the configuration and the environment say, and closes what it opened. */
export class Connections {
  readonly #context: CliContext
  readonly #options: ConnectionsOptions
  readonly #registries = new Map<string, Promise<OpenedRegistry>>()
  readonly #transports: Transport[] = []
  #config: Promise<Config> | undefined

  constructor(context: CliContext, options: ConnectionsOptions) {
    this.#context = context
    this.#options = options
    const unused = unusedEnvironmentCredential({ env: context.env, soleRegistry: this.#soleRegistry })
    if (unused !== undefined) options.onEvent?.({ type: 'warning', message: unused })
  }

  /**
   * The registry as these flags and the configuration reach it; the same object for the same ones, so that tokens are shared.
   * @throws DrayError `USAGE` for flags that make no sense together, `UNSUPPORTED` for a registry that is blocked, `IO` for
   * files that cannot be read
   */
  async registry(name: string, flags: EndFlags): Promise<Registry> {
    return (await this.open({ registry: name }, flags)).registry
  }

  /** The registry of a place, and how it is reached. Throws what `registry` throws. */
  async open(place: ConfiguredPlace, flags: EndFlags): Promise<OpenedRegistry> {
    const settings = await this.settings(place)
    refuseIfBlocked(place, settings)
    const { mirrors, location, blocked, ...met } = settings
    const key = JSON.stringify([place.registry, flags, met])
    const opened = this.#registries.get(key) ?? this.#open(place.registry, flags, settings)
    this.#registries.set(key, opened)
    return opened
  }

  /** A repository, in front of which stand its mirrors where it is only read. Throws what `registry` throws. */
  async repository(target: RepositoryTarget, flags: EndFlags, access: Access = 'pull'): Promise<Repository> {
    const { repository } = target
    const settings = await this.settings(target)
    refuseIfBlocked(target, settings)
    if (access !== 'pull') {
      const { registry } = await this.open(target, flags)
      return registry.repository(repository, access === 'own' ? 'pull' : access)
    }
    const place = settings.location?.value ?? target
    const { registry } = await this.open(place, flagsFor(place, { flags, target }))
    // A digest alone is not what a mirror of tags is for.
    const isByDigest = target.tag === undefined && target.digest !== undefined
    const mirrors = (settings.mirrors?.value ?? []).filter(
      ({ pullFrom }) => pullFrom !== 'tags' || !isByDigest,
    )
    return registry.repository(place.repository ?? repository, 'pull', {
      name: `${target.registry}/${repository}`,
      mirrors: mirrors.map(mirror =>
        this.#mirror({ ...mirror, repository: mirror.repository ?? repository }, { flags, target }),
      ),
    })
  }

  /** What the configuration says of a registry or a part of it. */
  async settings(target: ConfiguredPlace): Promise<RegistrySettings> {
    return (await this.config()).settingsFor(target)
  }

  /** The configuration, read when it is first asked for. */
  config(): Promise<Config> {
    this.#config ??= this.#openConfig()
    return this.#config
  }

  /** How credentials for these flags are found, without those that the flags themselves give. */
  credentialContext(flags: EndFlags): CredentialContext {
    const { env, homeDir, platform, uid, signal } = this.#context
    return {
      env,
      homeDir,
      platform,
      uid,
      signal,
      authFile: flags.authfile,
      soleRegistry: this.#soleRegistry,
      helperTimeoutMs: flags.timeout,
      findConfigured: async target => (await this.config()).findLogin(target),
      listConfigured: async () => (await this.config()).listLogins(),
      keychainProgram: keychainProgram(),
      askWebService: webServices({
        context: this.#context,
        flags,
        settings: host => this.settings({ registry: host }),
        onEvent: this.#options.onEvent,
        onTrace: this.#options.onTrace,
        onOpen: transport => this.#transports.push(transport),
      }),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map(transport => transport.close()))
  }

  get #soleRegistry(): string | undefined {
    const names = [...new Set(this.#options.registries)]
    return names.length === 1 ? names[0] : undefined
  }

  async #openConfig(): Promise<Config> {
    const { openConfig } = await import('../config/config.ts')
    const onWarning = (message: string) => this.#options.onEvent?.({ type: 'warning', message })
    return openConfig({ ...this.#files, env: this.#context.env, onWarning })
  }

  /** Where the configuration lies. */
  get #files() {
    const { homeDir, platform } = this.#context
    return { homeDir, platform, etcDir: this.#options.etcDir ?? '/etc' }
  }

  #mirror({ pullFrom, ...place }: RepositoryTarget & ConfiguredMirror, named: Named): Mirror {
    const flags = flagsFor(place, named)
    // The next place is a better answer than a long wait.
    const retries = Math.min(flags.retries ?? mirrorRetries, mirrorRetries)
    return {
      name: `${place.registry}/${place.repository}`,
      pullFrom: pullFrom === 'digests' ? 'digests' : 'all',
      open: async () => (await this.open(place, { ...flags, retries })).registry.repository(place.repository),
    }
  }

  /** What speaks to registries is loaded here, so that a verb on a local layout starts without it. */
  async #open(name: string, flags: EndFlags, settings: RegistrySettings): Promise<OpenedRegistry> {
    const { openRegistry } = await import('./open-registry.ts')
    const { onEvent, onTrace } = this.#options
    const given = await flagCredential(flags, this.#context)
    const opened = await openRegistry(name, {
      flags,
      settings,
      context: this.#context,
      files: this.#files,
      findCredential: given === undefined ? this.#stored(flags) : async () => given,
      requireCredential: given !== undefined,
      onEvent,
      onTrace,
    })
    this.#transports.push(opened.transport)
    return opened
  }

  /** Logins are looked for when a registry asks, and opened once. */
  #stored(flags: EndFlags): FindCredential {
    let opened: Promise<Credentials> | undefined
    const open = async () => {
      const { openCredentials } = await import('../credentials/credentials.ts')
      return openCredentials(this.credentialContext(flags))
    }
    return async target => {
      opened ??= open()
      return (await opened).findCredential(target)
    }
  }
}

/** How often a mirror is asked again. */
const mirrorRetries = 1

/** Who was named on the command line, and the flags that came with the name. */
export interface Named {
  readonly flags: EndFlags
  readonly target: ConfigTarget
}

/** What flags say of one registry, a login above all, is for no other. */
export function flagsFor({ registry }: ConfigTarget, { flags, target }: Named): EndFlags {
  if (registry === target.registry) return flags
  const general = ['timeout', 'retries', 'maxRetryAfter', 'authfile']
  return Object.fromEntries(Object.entries(flags).filter(([name]) => general.includes(name)))
}

/** @throws DrayError `UNSUPPORTED` */
export function refuseIfBlocked({ registry, repository }: ConfigTarget, { blocked }: RegistrySettings): void {
  if (blocked?.value !== true) return
  const name = repository === undefined ? registry : `${registry}/${repository}`
  throw new DrayError('UNSUPPORTED', `${name} is blocked: ${blocked.origin}`)
}

/**
 * The credential that the flags give, if any.
 * @throws DrayError `USAGE` when a half is missing
 */
export async function flagCredential(flags: EndFlags, context: CliContext): Promise<Credential | undefined> {
  const { username, identityToken, passwordStdin } = flags
  if (identityToken !== undefined) return { kind: 'identity-token', token: identityToken }
  const password = passwordStdin ? await readPasswordFromStdin(context.stdin) : flags.password
  if (username === undefined && password === undefined) return undefined
  if (!username) throw new DrayError('USAGE', 'a password needs a name: give --username')
  if (password === undefined) {
    throw new DrayError('USAGE', '--username needs a password', { hint: 'pipe it in with --password-stdin' })
  }
  return { kind: 'basic', username, password }
}
