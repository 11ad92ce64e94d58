import type { FindCredential } from '../../credential.ts'
import type { Challenge } from '../../http/challenge.ts'
import type { HttpHeaders, Send } from '../../http/message.ts'
import type { Digest } from '../../oci/digest.ts'
import type { AskWebService } from '../../web-service.ts'
import type { RateLimit } from '../rate-limit.ts'

/** The providers whose registries are told apart. */
export type ProviderId =
  | 'docker-hub'
  | 'ghcr'
  | 'gitlab'
  | 'ecr'
  | 'ecr-public'
  | 'google'
  | 'acr'
  | 'harbor'
  | 'artifactory'
  | 'quay'
  | 'dtr'
  | 'distribution'

/** What is known of a provider before anything of its own is loaded. */
export interface KnownProvider {
  readonly id: ProviderId
  /** For people. */
  readonly name: string
  /** Its registries by their names. */
  readonly isHost?: (registry: string) => boolean
  /** Its registries by how they answer `GET /v2/` without a login. */
  readonly isAnswer?: (answer: PingAnswer) => boolean
  /** It has ways of its own. */
  readonly load?: () => Promise<Provider>
  /** Its own API is at a host of the provider's, which is asked for registries of its own names alone. */
  readonly hasApiElsewhere?: boolean
  /** By tag its registry API answers 404 or deletes more than the tag, so that its own API is asked first. */
  readonly hasOwnTagDelete?: boolean
  /** By digest its registry API refuses, or wants the tags gone before. */
  readonly hasOwnImageDelete?: boolean
  /** What to do where its catalog is closed. */
  readonly catalogHint?: string
  /** What to do where nothing can be deleted. */
  readonly deleteHint?: string
}

/** How a registry answers who has no login. */
export interface PingAnswer {
  readonly status: number
  readonly headers: HttpHeaders
  readonly challenges: readonly Challenge[]
}

/** What a provider's own file is given to work with. */
export interface ProviderAccess {
  /** As in references: `ghcr.io`. */
  readonly registry: string
  /** Where the registry's API answers. */
  readonly url: URL
  /** The registry's own API, with its authentication. */
  readonly send: Send
  /** How the registry answers who has no login. */
  readonly ping: () => Promise<PingAnswer>
  /** Any other API. It adds no login: the provider's file does. */
  readonly ask: AskWebService
  readonly findCredential: FindCredential
  /** The environment, for keys that no registry's login stands for (AWS). */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the provider's own API was opened with, by who it is for; kept as long as the registry's tokens are. */
  readonly tokens: Map<string, KeptToken>
}

/** A token that is kept for a while. */
export interface KeptToken {
  /** As it stands in the header. */
  readonly authorization: Promise<string>
  /** Milliseconds since 1970. */
  readonly endsAt: number
}

/** A tag that is to go, and nothing else. */
export interface TagToDelete {
  readonly repository: string
  readonly tag: string
  /** What it stands for. */
  readonly digest: Digest
  /** Other tags of the same image may go with it, where the provider cannot leave them. */
  readonly force: boolean
}

/** What went with a tag. */
export interface GoneWithTag {
  /** The tag, and others of the same image that had to go with it. */
  readonly tags: readonly string[]
  /** True when the image itself is gone too. */
  readonly manifest: boolean
}

/** An image that is to go, with all its tags. */
export interface ImageToDelete {
  readonly repository: string
  readonly digest: Digest
  readonly tags: readonly string[]
}

/** A repository that a search found. */
export interface FoundRepository {
  /** A reference's name without a tag: `docker.io/library/alpine`. */
  readonly name: string
  readonly description: string | null
  readonly stars: number | null
  readonly pulls: number | null
  readonly official: boolean | null
}

/** What one provider alone does beside the registry API, which all share. */
export interface Provider {
  /**
   * Deletes a tag and leaves the image's other tags.
   * @returns what is gone: more than the tag only with `force`
   * @throws DrayError `UNSUPPORTED` (see `wouldTakeAlong`) where other tags would go too and `force` is not given
   */
  deleteTag?(access: ProviderAccess, tag: TagToDelete): Promise<GoneWithTag>
  /** Deletes an image by its digest, with its tags, where the registry API does not or wants more than that. */
  deleteImage?(access: ProviderAccess, image: ImageToDelete): Promise<void>
  /** All repositories that the login may see, where `_catalog` is closed. */
  catalog?(access: ProviderAccess): AsyncGenerator<string>
  /** Repositories that fit the words, best first. */
  search?(access: ProviderAccess, words: string): AsyncGenerator<FoundRepository>
  /** The limit of requests for this login, where it is not told with every answer; undefined means unlimited. */
  rateLimit?(access: ProviderAccess): Promise<RateLimit | undefined>
}
