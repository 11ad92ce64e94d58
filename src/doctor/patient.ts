import type { Credential } from '../credential.ts'
import type { DrayError } from '../errors.ts'
import { type Challenge, parseChallenges } from '../http/challenge.ts'
import { readErrorText } from '../http/error-body.ts'
import type { HttpHeaders } from '../http/message.ts'
import { type ConnectionProbe, probeConnection } from '../http/probe.ts'
import type { TransportOptions } from '../http/send.ts'
import type { ProviderId } from '../registry/providers/provider.ts'
import type { Registry } from '../registry/registry.ts'
import { type KnownImage, knownImage } from './image.ts'

/** What is wanted of the registry; what is not needed for it cannot fail. */
export type Purpose = 'pull' | 'push' | 'delete'

/** A registry, or a part of it. */
export interface Place {
  /** As in references: `docker.io`. */
  readonly registry: string
  readonly repository?: string | undefined
  /** The tag or digest, where one was named. */
  readonly reference?: string | undefined
}

/** Something that is configured, and who said so. */
export interface Setting {
  /** For people: `plain HTTP`, `mirror cache.example`. */
  readonly what: string
  /** For people: the flag, the variable, the file. */
  readonly origin: string
}

/** A registry that is open, and how it is reached. */
export interface Meeting {
  readonly place: Place
  readonly registry: Registry
  /** Where its API answers. */
  readonly url: URL
  /** What it is configured to be. */
  readonly provider: ProviderId | undefined
  readonly connection: TransportOptions
  /** All that is configured for it. */
  readonly settings: readonly Setting[]
  /** The files of the configuration that were read. */
  readonly files: readonly string[]
  /** The files whose CAs are trusted beside the usual roots, in the order of `connection.tls.ca`. */
  readonly caFiles: readonly { readonly file: string; readonly origin: string }[]
  readonly mirrors: readonly Mirror[]
}

/** A place that is read before the registry itself. */
export interface Mirror {
  /** `mirror.example/library/alpine` */
  readonly name: string
  /** It is asked for digests alone. */
  readonly isForDigests: boolean
  open(): Promise<Meeting>
}

/** The way to a login: through the places in order, to the first that has one. */
export interface LoginSearch {
  readonly places: readonly { readonly place: string; readonly result: string; readonly why: string | null }[]
  /** Undefined for anonymous. */
  readonly found: FoundLogin | undefined
  /** What ended the search. */
  readonly failure: DrayError | undefined
}

/** A login, and where it is from. */
export interface FoundLogin {
  readonly credential: Credential
  /** Nobody goes on without it, not even where everybody may read: it was given for this run. */
  readonly isRequired: boolean
  /** Null for a token that does not say. */
  readonly user: string | null
  /** For people: `auths in /home/x/.docker/config.json`. */
  readonly origin: string
  /** What the place has it for, where it says so. */
  readonly for: string | null
}

/** How the registry answered `GET /v2/` without a login. */
export interface Ping {
  readonly status: number
  readonly headers: HttpHeaders
  /** Where the answer came from, after redirects. */
  readonly url: URL
  /** Its body, as far as it was read. */
  readonly text: string
  /** When the question left and when the answer came, in milliseconds since 1970. */
  readonly askedAt: number
  readonly answeredAt: number
}

export interface PatientOptions {
  /** As in references: `docker.io`. */
  readonly registry: string
  readonly purpose: Purpose
  /** Opens the registry as the configuration says. Throws a DrayError. */
  readonly meet: () => Promise<Meeting>
  readonly searchLogin: () => Promise<LoginSearch>
  /** Walks the way to a server; over the network unless told. */
  readonly probe?: typeof probeConnection | undefined
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined
}

/** Who is examined. Each question is put once, by the first step that wants to know. */
export class Patient {
  readonly registry: string
  readonly purpose: Purpose
  readonly meet: () => Promise<Meeting>
  readonly searchLogin: () => Promise<LoginSearch>
  readonly probe: typeof probeConnection
  readonly now: () => number
  /** The connection by itself, from its name to TLS; what went wrong stands in the report. */
  readonly connect: () => Promise<ConnectionProbe>
  readonly ping: () => Promise<Ping>
  #image: KnownImage | undefined

  constructor(options: PatientOptions) {
    const { registry, purpose, meet, searchLogin, probe = probeConnection, now = Date.now } = options
    this.registry = registry
    this.purpose = purpose
    this.probe = probe
    this.now = now
    this.meet = once(meet)
    this.searchLogin = once(searchLogin)
    this.connect = once(async () => {
      const { url, connection } = await this.meet()
      return probe(url, connection)
    })
    this.ping = once(async () => pingOf((await this.meet()).registry, now))
  }

  /** The image that was found by `findImage`, if it was asked. */
  get image(): KnownImage | undefined {
    return this.#image
  }

  /**
   * The image that is meant, or any of the repository; undefined where no repository is named.
   * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`
   */
  async findImage(): Promise<KnownImage | undefined> {
    const { registry, place } = await this.meet()
    const { repository, reference } = place
    if (repository !== undefined) this.#image = await knownImage(registry.repository(repository), reference)
    return this.#image
  }

  /** The challenge that is answered (RFC 9110, section 11): Bearer comes before all others. */
  async challenge(): Promise<Challenge | undefined> {
    const challenges = parseChallenges((await this.ping()).headers.all('www-authenticate'))
    return challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges[0]
  }
}

/** Asks a registry `GET /v2/`. */
export async function pingOf(registry: Registry, now: () => number): Promise<Ping> {
  const askedAt = now()
  const response = await registry.ping()
  const answeredAt = now()
  const { status, headers, url } = response
  return { status, headers, url, text: await readErrorText(response), askedAt, answeredAt }
}

function once<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}
