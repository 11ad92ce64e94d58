import type { Goal } from './goals.ts'

/**
 * Whom the bench runs; `node` is a bare `node -e 0`, which tells what a start costs, and docker-registry is compared with
 * `dray serve`.
 */
export type Program = 'dray' | 'crane' | 'skopeo' | 'oras' | 'node' | 'docker-registry'

/** A program with its arguments. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Added to an environment that holds `PATH` and an empty `HOME` and no more. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** What a command is about. Each run has names and folders of its own, save where a case says otherwise. */
export interface Scene {
  /** The reference of the image at the source. */
  readonly source: string
  /** Where it goes: a reference. */
  readonly destination: string
  /** An OCI layout that is read, or a folder that does not exist yet, for one to be written. Its tag is `big`. */
  readonly layout: string
  /** The certificate (PEM) of the authority that the registries' TLS has; without it they speak plain HTTP. */
  readonly authority: string | undefined
}

/** A job, and how each program that can do it is told to. */
export interface Verb {
  readonly tell: (scene: Scene) => Readonly<Partial<Record<Program, Command>>>
  /** Whom to compare with. */
  readonly peers: readonly Program[]
  /** Which peers check what they move against its digest; all of them where nothing is moved. */
  readonly verifies: readonly Program[]
}

/** Random bytes, the same number for each layer; one platform is an image, several are an index. */
export interface ImageShape {
  readonly platforms: number
  readonly layers: number
  readonly layerBytes: number
}

/** One line of the bench. */
export interface Case {
  readonly name: string
  readonly verb: Verb
  /** The image at the source; without it no registry is started. */
  readonly image?: ImageShape | undefined
  /** Where the image is; in a registry if not given. */
  readonly from?: 'registry' | 'layout' | undefined
  /** Where it goes; to a registry that holds nothing yet, a new one for each run, if not given. */
  readonly to?: Destination | undefined
  /** More tags for the image at the source. */
  readonly tags?: number | undefined
  readonly tls?: boolean | undefined
  /** What each way of the network takes. */
  readonly delayMs?: number | undefined
  /** Whom to compare with; the verb's peers if not given. */
  readonly peers?: readonly Program[] | undefined
  /** A flag of `dray copy` without which there is nothing to measure. */
  readonly needs?: string | undefined
  /** Gigabytes: measured with `--large` only. */
  readonly large?: boolean | undefined
  readonly goals?: readonly Goal[] | undefined
}

/** A new registry; one that has the image already; the source's own, as another repository or another tag; a folder. */
export type Destination =
  | 'new registry'
  | 'full registry'
  | 'same registry'
  | 'same repository'
  | 'layout'
  | 'nowhere'
