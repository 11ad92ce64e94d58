import { createHash } from 'node:crypto'
import { mediaTypes } from '../../../src/oci/media-types.ts'
import { type SampleBlob, sampleBlob, sampleManifest } from '../../support/sample-image.ts'
import { type Client, ConnectionLost } from './client.ts'
import type { Change, Ledger } from './ledger.ts'

/** The repositories that all writers push to. */
export const repositories = ['one', 'two', 'two/deep'] as const

/** A whole number below `limit`, by chance. */
export type Chance = (limit: number) => number

/** An upload that goes on after the registry was killed. */
interface OpenUpload {
  readonly repository: string
  readonly location: string
  readonly blob: SampleBlob
  /** How many bytes are acknowledged. */
  bytes: number
  /** Whether its end was asked for, so that it may be there no more. */
  isEnding: boolean
}

/** Whom a writer writes for. */
export interface WriterOptions {
  readonly name: string
  readonly chance: Chance
  readonly ledger: Ledger
}

/** Pushes, moves, mounts and deletes: what is its own, but in repositories and with layers of all writers. */
export class Writer {
  readonly #name: string
  readonly #chance: Chance
  readonly #ledger: Ledger
  #count = 0
  #upload: OpenUpload | undefined

  constructor({ name, chance, ledger }: WriterOptions) {
    this.#name = name
    this.#chance = chance
    this.#ledger = ledger
  }

  /** Goes on until the registry is gone; true when it was gone in the middle of a request. */
  async writeOn(client: Client, round: number): Promise<boolean> {
    try {
      if (this.#upload !== undefined) await this.#goOn(client, this.#upload)
      for (;;) await this.#step(client, round)
    } catch (error) {
      if (error instanceof ConnectionLost) return error.wasAsked
      throw error
    }
  }

  /** Pushes an image to a repository under a tag. */
  async push(client: Client, repository: string, round: number): Promise<void> {
    const config = this.#newBlob(100)
    const layer = this.#chance(2) === 0 ? sharedBlob(round, this.#chance(4)) : this.#newBlob(200_000)
    for (const blob of [config, layer]) await this.#pushBlob(client, repository, blob)
    const { digest, bytes } = sampleManifest({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: config.descriptor,
      layers: [layer.descriptor],
    })
    const tag = `${this.#name}-${this.#chance(4)}`
    const changes: Change[] = [tag, digest].map(reference => [`${repository}/manifests/${reference}`, digest])
    const headers = { 'Content-Type': mediaTypes.ociManifest }
    const put = async (reference: string) => {
      await client.ask([201], 'PUT', `/v2/${repository}/manifests/${reference}`, { headers, body: bytes })
    }
    await this.#ledger.change(changes, () => put(tag))
    // All fight over this one, so nobody knows where it points; but what it points at must be there.
    if (this.#chance(3) === 0) await put('latest')
  }

  async #step(client: Client, round: number): Promise<void> {
    const repository = repositories[this.#chance(repositories.length)] ?? 'one'
    const dice = this.#chance(10)
    if (dice === 0) await this.#deleteManifest(client)
    else if (dice === 1) await this.#deleteTag(client)
    else if (dice === 2) await this.#deleteBlob(client, repository)
    else if (dice === 3) await this.#mount(client, repository)
    else await this.push(client, repository, round)
  }

  async #pushBlob(client: Client, repository: string, blob: SampleBlob): Promise<void> {
    const { digest } = blob.descriptor
    const uploads = `/v2/${repository}/blobs/uploads/`
    const post = () => client.ask([201], 'POST', `${uploads}?digest=${digest}`, { body: blob.bytes })
    if (this.#chance(2) === 0) {
      await this.#ledger.change([[`${repository}/blobs/${digest}`, digest]], async () => void (await post()))
      return
    }
    const { headers } = await client.ask([202], 'POST', uploads)
    const location = String(headers.get('location'))
    this.#upload = { repository, location, blob, bytes: 0, isEnding: false }
    await this.#goOn(client, this.#upload)
  }

  async #goOn(client: Client, upload: OpenUpload): Promise<void> {
    const { repository, location, blob } = upload
    const { status, headers } = await client.ask([204, 404], 'GET', location)
    // It was ended, perhaps; the ledger knows what may have come of it.
    if (status === 404 && upload.isEnding) {
      this.#upload = undefined
      return
    }
    const end = Number(/^0-(\d+)$/.exec(headers.get('range') ?? '')?.[1])
    // The header cannot tell one byte from none; no chunk here has one.
    const there = end === 0 ? 0 : end + 1
    if (status === 404 || there < upload.bytes)
      throw new Error(`${location}: ${there} of ${upload.bytes} bytes`)
    const half = Math.ceil(blob.bytes.length / 2)
    for (let start = there; start < blob.bytes.length; start = upload.bytes) {
      const body = blob.bytes.subarray(start, start + half)
      const range = { 'Content-Range': `${start}-${start + body.length - 1}` }
      await client.ask([202], 'PATCH', location, { headers: range, body })
      upload.bytes = start + body.length
    }
    upload.isEnding = true
    const { digest } = blob.descriptor
    await this.#ledger.change([[`${repository}/blobs/${digest}`, digest]], async () => {
      await client.ask([201], 'PUT', `${location}?digest=${digest}`)
    })
    this.#upload = undefined
  }

  async #mount(client: Client, repository: string): Promise<void> {
    const path = this.#any(/\/blobs\//)
    const [, from, digest] = /^(.+)\/blobs\/(.+)$/.exec(path ?? '') ?? []
    const found = path === undefined ? undefined : this.#ledger.at(path)
    if (found === undefined) return
    await this.#ledger.change([[`${repository}/blobs/${digest}`, found]], async () => {
      await client.ask([201], 'POST', `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`)
    })
  }

  async #deleteTag(client: Client): Promise<void> {
    const path = this.#any(new RegExp(`/manifests/${this.#name}-`))
    if (path === undefined) return
    await this.#ledger.change([[path, undefined]], async () => {
      await client.ask([202], 'DELETE', `/v2/${path}`)
    })
  }

  /** By its digest, so that all its tags go. */
  async #deleteManifest(client: Client): Promise<void> {
    const path = this.#any(new RegExp(`/manifests/${this.#name}-`))
    const digest = path === undefined ? undefined : this.#ledger.at(path)
    if (path === undefined || digest === undefined) return
    const repository = path.replace(/\/manifests\/.*/, '')
    const own = this.#ledger.paths.filter(
      other => other.startsWith(`${repository}/manifests/`) && this.#ledger.at(other) === digest,
    )
    await this.#ledger.change(
      own.map(other => [other, undefined]),
      async () => void (await client.ask([202], 'DELETE', `/v2/${repository}/manifests/${digest}`)),
    )
  }

  async #deleteBlob(client: Client, repository: string): Promise<void> {
    const blob = this.#newBlob(50_000)
    const { digest } = blob.descriptor
    const path = `${repository}/blobs/${digest}`
    await this.#ledger.change([[path, digest]], async () => {
      const query = `?digest=${digest}`
      await client.ask([201], 'POST', `/v2/${repository}/blobs/uploads/${query}`, { body: blob.bytes })
    })
    await this.#ledger.change([[path, undefined]], async () => {
      await client.ask([202], 'DELETE', `/v2/${path}`)
    })
  }

  #any(pattern: RegExp): string | undefined {
    const fitting = this.#ledger.paths.filter(path => pattern.test(path))
    return fitting[this.#chance(fitting.length)]
  }

  #newBlob(limit: number): SampleBlob {
    this.#count += 1
    return blobOf(`${this.#name} ${this.#count}`, 10 + this.#chance(limit))
  }
}

/** A layer that several writers push. */
function sharedBlob(round: number, number: number): SampleBlob {
  return blobOf(`shared ${round} ${number}`, number * 70_000 + 10)
}

/** Bytes that are different all the way, so that none of them can stand for another. */
function blobOf(name: string, size: number): SampleBlob {
  return sampleBlob(createHash('shake256', { outputLength: size }).update(name).digest())
}
