import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { TraceEvent } from '../http/trace.ts'
import type { ImageSource, TagOrDigest } from '../image-store.ts'
import type { Layout } from '../layout/layout.ts'
import { defaultTag, type Reference, tagOrDigest } from '../oci/reference.ts'
import type { RegistryEvent } from '../registry/context.ts'
import type { Repository } from '../registry/repository.ts'
import { type Access, Connections } from './connections.ts'
import type { CliContext } from './context.ts'
import type { Location } from './location.ts'
import type { EndFlags } from './options.ts'
import { formatOutput, type OutputFormat } from './output.ts'
import { printable } from './printable.ts'
import { redact } from './redact.ts'
import { formatDuration } from './units.ts'

/** What every verb's options hold. */
export interface CommonFlags {
  readonly quiet?: boolean
  readonly debug?: boolean
  readonly format?: OutputFormat
}

export interface SessionOptions {
  readonly locations?: readonly Location[]
  readonly registries?: readonly string[]
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
}

/** A place that is open, and what is meant there. */
export interface OpenPlace {
  readonly store: Repository | Layout
  readonly reference: TagOrDigest
  /** How many transfers at a time the configuration allows a registry. */
  readonly jobs?: number | undefined
}

/** One run of a verb: its connections, and where its words go. */
export class Session {
  readonly connections: Connections
  readonly #context: CliContext
  readonly #flags: CommonFlags

  constructor(context: CliContext, flags: CommonFlags, options: SessionOptions = {}) {
    this.#context = context
    this.#flags = flags
    const named = (options.locations ?? []).flatMap(location =>
      location.kind === 'registry' ? [location.reference.registry] : [],
    )
    this.connections = new Connections(context, {
      registries: [...(options.registries ?? []), ...named],
      onEvent: options.onEvent ?? (event => this.#tell(event)),
      onTrace: flags.debug ? event => this.#trace(event) : undefined,
    })
  }

  /** Opens a place to read from, and checks a tag and a digest against each other. */
  async openSource(location: Location, flags: EndFlags, access: Access = 'pull'): Promise<OpenPlace> {
    if (location.kind === 'oci') {
      const { openLayout } = await import('../layout/layout.ts')
      const store = await openLayout(location.dir)
      const sole = location.tag === undefined && location.digest === undefined
      return { store, reference: sole ? await store.soleReference() : await pinned(store, location) }
    }
    const { store, jobs } = await this.#repository(location.reference, flags, access)
    return { store, reference: await pinned(store, location.reference), jobs }
  }

  /** Opens a place to write to; a layout is made where there is none. */
  async openDestination(location: Location, flags: EndFlags): Promise<OpenPlace> {
    if (location.kind === 'oci') {
      const { openLayout } = await import('../layout/layout.ts')
      return { store: await openLayout(location.dir, { create: true }), reference: tagOrDigest(location) }
    }
    const { store, jobs } = await this.#repository(location.reference, flags, 'pull,push')
    return { store, reference: tagOrDigest(location.reference), jobs }
  }

  /** Prints a verb's result on stdout, in the format that was asked for. */
  async print(document: unknown, text: () => string): Promise<void> {
    const format = this.#flags.format ?? { kind: 'text' }
    const { stdout } = this.#context
    await stdout.write(formatOutput(document, format, { text, isTerminal: stdout.isTerminal }))
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

  async close(): Promise<void> {
    await this.connections.close()
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

interface TagAndDigest {
  readonly tag?: string | undefined
  readonly digest?: string | undefined
}

/** What to ask for; where a tag and a digest stand together, the tag must stand for the digest. */
async function pinned(store: ImageSource, { tag, digest }: TagAndDigest): Promise<TagOrDigest> {
  if (tag === undefined || digest === undefined) return digest ?? tag ?? defaultTag
  const found = await store.resolve(tag)
  if (found.digest === digest) return digest
  throw new DrayError('INTEGRITY', `${store.name}:${tag} stands for ${found.digest}, not for ${digest}`)
}
