import type { Digest } from '../oci/digest.ts'

/** A value of the configuration, and where it stands. */
export interface Setting<Value> {
  readonly value: Value
  /** For people: `registries["ghcr.io"].jobs in /home/x/.config/dray/config.yaml`. */
  readonly origin: string
}

/** What settings are wanted for: a registry, or a reference in it as far as it is known. */
export interface ConfigTarget {
  /** As in references: `docker.io`. */
  readonly registry: string
  readonly repository?: string | undefined
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

/** A place that another part of the configuration names, with what it says of the way there. */
export interface ConfiguredPlace extends ConfigTarget {
  /** By the scheme in front of it; stronger than what stands under the place's own name. */
  readonly plainHttp?: Setting<boolean> | undefined
  /** By a `registries.conf`; weaker than what stands under the place's own name. */
  readonly unsafe?: Setting<boolean> | undefined
}

/** What a mirror is asked for: all, only what is asked for by digest, or only for references that name a tag. */
export type PullFrom = 'all' | 'digests' | 'tags'

/** A place to read from before the registry itself. */
export interface ConfiguredMirror extends ConfiguredPlace {
  readonly pullFrom: PullFrom
}

/** The software or service behind a registry, where its name does not tell. */
export type Provider = (typeof providers)[number]

/** All that are known. */
export const providers = [
  'docker-hub',
  'ghcr',
  'gitlab',
  'ecr',
  'ecr-public',
  'google',
  'acr',
  'harbor',
  'artifactory',
  'quay',
  'dtr',
  'distribution',
] as const

/** How a registry is to be met. What nothing is said of is undefined. */
export interface RegistrySettings {
  /** In the order in which they are asked; the registry itself comes last. */
  readonly mirrors: Setting<readonly ConfiguredMirror[]> | undefined
  /** Where the content is read instead of under its name. */
  readonly location: Setting<ConfiguredPlace> | undefined
  readonly blocked: Setting<boolean> | undefined
  /** `unless-tls`: only where the server does not speak TLS. */
  readonly plainHttp: Setting<boolean | 'unless-tls'> | undefined
  /** Accepts any certificate. */
  readonly insecure: Setting<boolean> | undefined
  /** Paths of PEM files, absolute. */
  readonly caFile: Setting<string> | undefined
  readonly certFile: Setting<string> | undefined
  readonly keyFile: Setting<string> | undefined
  /** How many transfers, and how many requests, at a time. */
  readonly jobs: Setting<number> | undefined
  readonly requestsPerSecond: Setting<number> | undefined
  /** Names in lower case. */
  readonly headers: Setting<Readonly<Record<string, string>>> | undefined
  readonly provider: Setting<Provider> | undefined
}
