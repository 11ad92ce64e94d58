import { DrayError } from '../../errors.ts'
import { PartialFolder } from '../../layout/partial-folder.ts'
import type { Storage } from '../storage/storage.ts'
import { Eviction } from './eviction.ts'
import { Mirror } from './mirror.ts'
import { checkMirrorName, defaultMirror, pathAt } from './mirror-name.ts'
import type { MirroredRepository } from './repository.ts'
import type { MirrorEvent, MirroredRegistry, MirrorLimits } from './upstream.ts'

export interface MirrorsOptions {
  readonly storage: Storage
  /** Where blobs are while they come. */
  readonly partialDir: string
  readonly limits?: MirrorLimits | undefined
  /** Now, in milliseconds since 1970. */
  readonly clock: () => number
  readonly onWarning?: ((message: string) => void) | undefined
  readonly onEvent?: ((event: MirrorEvent) => void) | undefined
}

/** What a request says about the repository that it is for. */
export interface AskedName {
  readonly name: string
  /** containerd's `?ns=`: the registry that its user named. */
  readonly namespace: string | null
  /** Whether it may be looked for at Docker Hub, where it is not here. */
  readonly mayGuess: boolean
}

/** The registries that are answered for. */
export class Mirrors {
  readonly #byName = new Map<string, Mirror>()
  readonly #storage: Storage
  readonly #ending = new AbortController()
  readonly #eviction: Eviction

  /** @throws DrayError `USAGE` for names that cannot be */
  constructor(registries: readonly MirroredRegistry[], options: MirrorsOptions) {
    const { storage, clock, onWarning, onEvent } = options
    const mirrors = registries.map(({ name }) => name)
    this.#storage = storage
    this.#eviction = new Eviction({ ...options.limits, mirrors, storage, clock, onWarning, onEvent })
    const surroundings = {
      storage,
      clock,
      onWarning,
      partials: new PartialFolder(options.partialDir),
      signal: this.#ending.signal,
      onEvent: (event: MirrorEvent) => {
        if (event.type === 'fetched') this.#eviction.grew(event.bytes)
        onEvent?.(event)
      },
    }
    for (const registry of registries) {
      checkMirrorName(registry.name)
      if (this.#byName.has(registry.name)) {
        throw new DrayError('USAGE', `there are two mirrors of the name ${registry.name}`)
      }
      this.#byName.set(registry.name, new Mirror(registry, surroundings))
    }
  }

  /** Begins to look now and then for what is to go. */
  start(): void {
    this.#eviction.start()
  }

  /**
   * The mirrored repository that a request is for: by its name in full, by containerd's namespace, or, where there is no
   * repository of that name here, one of Docker Hub's. Undefined for a repository of our own.
   */
  async locate({ name, namespace, mayGuess }: AskedName): Promise<MirroredRepository | undefined> {
    const slash = name.indexOf('/')
    const named = this.#byName.get(slash < 0 ? name : name.slice(0, slash))
    if (named !== undefined) return slash < 0 ? undefined : repositoryOf(named, name.slice(slash + 1))
    const mirror = this.#byName.get(namespace ?? '')
    if (mirror !== undefined) return repositoryOf(mirror, name)
    const guessed = mayGuess ? this.#byName.get(defaultMirror) : undefined
    // A repository of our own is never hidden by one of the same name elsewhere, nor hides behind it.
    if (guessed === undefined || (await this.#storage.find(name)) !== undefined) return undefined
    return repositoryOf(guessed, name)
  }

  /** Gives up what is under way; what there is of it is gone on with the next time. */
  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.all([...this.#byName.values()].map(({ downloads }) => downloads.settle()))
    await this.#eviction.stop()
  }
}

function repositoryOf(mirror: Mirror, asked: string): MirroredRepository {
  const path = pathAt(mirror.name, asked)
  return { mirror, path, name: `${mirror.name}/${path}` }
}
