import { tmpdir } from 'node:os'
import { NamedDestination } from '../bundle/named-destination.ts'
import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { TraceEvent } from '../http/trace.ts'
import type { ImageDestination, TagOrDigest } from '../image-store.ts'
import type { Layout } from '../layout/layout.ts'
import { type Reference, tagOrDigest } from '../oci/reference.ts'
import type { RegistryEvent } from '../registry/context.ts'
import type { Repository } from '../registry/repository.ts'
import { ArchiveStreams } from './archive-streams.ts'
import { type Access, Connections } from './connections.ts'
import type { CliContext } from './context.ts'
import { type Location, nameIn } from './location.ts'
import { openEngine } from './open-engine.ts'
import type { EndFlags } from './options.ts'
import { formatOutput, type OutputFormat } from './output.ts'
import { printable } from './printable.ts'
import { redact } from './redact.ts'
import { errorLines, type ReportOptions } from './report-error.ts'
import type {
  OpenDestination,
  OpenSource,
  OpenStoredDestinationOptions,
  StorageContext,
} from './stored-places.ts'
import { formatDuration } from './units.ts'

/** What every verb's options hold. */
export interface CommonFlags {
  readonly quiet?: boolean
  readonly debug?: boolean
  readonly format?: OutputFormat
  readonly passwordStdin?: boolean
  readonly fromPasswordStdin?: boolean
  readonly toPasswordStdin?: boolean
}

export interface SessionOptions {
  readonly locations?: readonly Location[]
  readonly registries?: readonly string[]
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
}

/** A place where an image can be given tags and be deleted, and what is meant there. */
export interface OpenPlace {
  readonly store: Repository | Layout
  /** Where the image's tags are written: among the names of its repository, where it has one in a layout. */
  readonly tagged: ImageDestination
  readonly reference: TagOrDigest
}

/** One run of a verb: its connections, the places that it opened, and where its words go. */
export class Session {
  readonly connections: Connections
  /** What folders and archives need of this run. */
  readonly storage: StorageContext
  readonly #context: CliContext
  readonly #flags: CommonFlags
  readonly #unfinished: Pick<ImageDestination, 'finish'>[] = []
  readonly #streams: ArchiveStreams
  readonly #places: AsyncDisposable[]

  constructor(context: CliContext, flags: CommonFlags, options: SessionOptions = {}) {
    this.#context = context
    this.#flags = flags
    const { passwordStdin, fromPasswordStdin, toPasswordStdin } = flags
    const isPasswordOnStdin = [passwordStdin, fromPasswordStdin, toPasswordStdin].includes(true)
    this.#streams = new ArchiveStreams(context, isPasswordOnStdin)
    this.#places = [this.#streams]
    const { onEvent = event => this.#tell(event) } = options
    const named = (options.locations ?? []).flatMap(location =>
      location.kind === 'registry' ? [location.reference.registry] : [],
    )
    this.connections = new Connections(context, {
      registries: [...(options.registries ?? []), ...named],
      onEvent,
      onTrace: flags.debug ? event => this.#trace(event) : undefined,
    })
    this.storage = {
      tmpDir: tmpdir(),
      signal: context.signal,
      streams: this.#streams,
      openEngine: timeoutMs => openEngine(context, timeoutMs),
      closeLater: place => this.#places.push(place),
      warn: message => onEvent({ type: 'warning', message }),
    }
  }

  /** Opens a place to read from, and checks a tag and a digest against each other. */
  async openSource(location: Location, flags: EndFlags, access: Access = 'pull'): Promise<OpenSource> {
    if (location.kind === 'registry') return this.openRepository(location.reference, flags, access)
    const { openStoredSource } = await import('./stored-places.ts')
    return openStoredSource(location, this.storage, flags.timeout)
  }

  /** Opens a repository to read from, and checks a tag and a digest against each other. */
  async openRepository(reference: Reference, flags: EndFlags, access: Access = 'pull') {
    const { store, jobs } = await this.#repository(reference, flags, access)
    const { tag, digest } = reference
    if (tag === undefined || digest === undefined) return { store, reference: tagOrDigest(reference), jobs }
    const { pinned } = await import('./stored-places.ts')
    return { store, reference: await pinned(store, { reference: tag, digest }), jobs }
  }

  /**
   * Opens a place whose tags can be changed.
   * @throws DrayError `UNSUPPORTED` for all but repositories and layouts in folders
   */
  async openToEdit(location: Location, flags: EndFlags, access: Access): Promise<OpenPlace> {
    if (location.kind === 'registry') {
      const { store, reference } = await this.openRepository(location.reference, flags, access)
      return { store, tagged: store, reference }
    }
    if (location.kind === 'oci') {
      const { openLayout } = await import('../layout/layout.ts')
      const { openStoredSource } = await import('./stored-places.ts')
      const { reference } = await openStoredSource(location, this.storage)
      const store = await openLayout(location.path)
      const { repository } = nameIn(location)
      const tagged = repository === undefined ? store : new NamedDestination(store, repository)
      return { store, tagged, reference }
    }
    throw new DrayError('UNSUPPORTED', `${location.text}: nothing in it can be tagged or deleted`, {
      hint: 'copy the image to where it shall be, with the name that it shall have',
    })
  }

  /** Opens a place to write to, which is made where there is none; `finish` makes it whole. */
  async openDestination(
    location: Location,
    flags: EndFlags,
    options: OpenStoredDestinationOptions = {},
  ): Promise<OpenDestination> {
    if (location.kind === 'registry') {
      const { reference } = location
      const { store, jobs } = await this.#repository(reference, flags, 'pull,push')
      return { store, tags: reference.tag === undefined ? [] : [reference.tag], jobs }
    }
    const { openStoredDestination } = await import('./stored-places.ts')
    const timeoutMs = flags.timeout
    const destination = await openStoredDestination(location, { ...options, timeoutMs }, this.storage)
    this.finishLater(destination.store)
    return destination
  }

  /** Takes what has to be made whole at the end. */
  finishLater(store: Pick<ImageDestination, 'finish'>): void {
    this.#unfinished.push(store)
  }

  /** Makes what was written whole, once all is there. Without it an archive does not come to be. */
  async finish(): Promise<void> {
    for (const store of this.#unfinished.splice(0)) await store.finish?.()
  }

  /** Prints a verb's result, in the format that was asked for: on stdout, unless an archive goes there. */
  async print(document: unknown, text: () => string): Promise<void> {
    const format = this.#flags.format ?? { kind: 'text' }
    const { stdout, stderr } = this.#context
    const { isStdoutTaken } = this.#streams
    const isTerminal = isStdoutTaken ? stderr.isTTY === true : stdout.isTerminal
    const output = formatOutput(document, format, { text, isTerminal })
    if (!isStdoutTaken) await stdout.write(output)
    else if (format.kind !== 'text' || !this.#flags.quiet) stderr.write(output)
  }

  /** Prints bytes on stdout, untouched. */
  async printRaw(content: Uint8Array | Chunks): Promise<void> {
    const { stdout } = this.#context
    await (content instanceof Uint8Array ? stdout.write(content) : stdout.writeAll(content))
  }

  /** Says something on stderr, unless it is to be quiet. */
  say(text: string): void {
    if (!this.#flags.quiet) this.#context.stderr.write(`${printable(redact(text))}\n`)
  }

  /** Tells on stderr what failed, where that does not end the program. */
  complain(error: DrayError, options: ReportOptions): void {
    for (const line of errorLines(error, options)) this.#context.stderr.write(`${line}\n`)
  }

  /** Closes all that was opened. What was written and not finished is taken away again. */
  async close(): Promise<void> {
    try {
      for (const place of this.#places.splice(0).reverse()) await place[Symbol.asyncDispose]()
    } finally {
      await this.connections.close()
    }
  }

  async #repository(reference: Reference, flags: EndFlags, access: Access) {
    const store = await this.connections.repository(reference, flags, access)
    const { jobs } = await this.connections.settings(reference)
    return { store, jobs: jobs?.value }
  }

  #tell(event: RegistryEvent): void {
    if (event.type === 'warning') this.say(`warning: ${event.message}`)
    else this.say(`${event.name}: ${event.reason}; trying again in ${formatDuration(event.delayMs)}`)
  }

  #trace({ method, url, status, ms, authorization }: TraceEvent): void {
    const who = authorization === undefined ? '' : ` (${authorization})`
    this.#context.stderr.write(
      `${printable(redact(`> ${method} ${url.href}${who} → ${status ?? 'no answer'}, ${ms} ms`))}\n`,
    )
  }
}

/** Runs a verb with a session that is closed however it ends. */
export async function withSession<Result>(
  session: Session,
  run: (session: Session) => Promise<Result>,
): Promise<Result> {
  try {
    return await run(session)
  } finally {
    await session.close()
  }
}
