import { rm } from 'node:fs/promises'
import { onDisk } from '../files/io-error.ts'
import type {
  ImageDestination,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/manifest.ts'
import {
  type ArchiveTarget,
  type LayoutArchiveDestinationOptions,
  openArchiveTarget,
  type WriteArchive,
} from './archive-target.ts'
import type { IndexDocument } from './index-document.ts'
import { Layout } from './layout.ts'
import type { LayoutFiles } from './layout-files.ts'
import { LayoutFolder } from './layout-folder.ts'
import { packLayout } from './pack-layout.ts'
import { UpdatedFiles } from './updated-files.ts'

/**
 * Opens an archive to be written that will hold an OCI image layout (image-spec v1.1, image-layout.md): a file, or what
 * takes its bytes, as stdout does. To an archive that is there is added, unless `replace` says otherwise: its images and
 * blobs stay. Without `compression` a file is compressed as its ending says (`.gz`, `.tgz`, `.zst`, `.tzst`). Nothing is
 * written by opening.
 * @throws DrayError `USAGE` where something is there that no image can be added to; `INTEGRITY`, `UNSUPPORTED`, `IO`
 */
export async function openLayoutArchiveDestination(
  target: string | WriteArchive,
  options: LayoutArchiveDestinationOptions,
): Promise<LayoutArchiveDestination> {
  const opened = await openArchiveTarget(target, options)
  const firstIndex = await opened.old?.files.index()
  return new LayoutArchiveDestination(opened, { firstIndex, signal: options.signal })
}

/**
 * An archive that is being written. Content is collected, and verified, in a layout of its own; `finish` makes the archive
 * of it. Where that does not come to be, large blobs stay in `.<file>.partial` beside the file, for the next run to go on with;
 * see `PartialFolder`.
 */
export class LayoutArchiveDestination implements ImageDestination, AsyncDisposable {
  readonly name: string
  readonly verifiesBlobs = true
  readonly #target: ArchiveTarget
  readonly #folder: LayoutFolder
  readonly #files: LayoutFiles
  readonly #layout: Layout
  readonly #signal: AbortSignal | undefined
  #state: 'open' | 'finished' | 'closed' = 'open'

  /** For `openLayoutArchiveDestination`. */
  constructor(
    target: ArchiveTarget,
    { firstIndex, signal }: { firstIndex?: IndexDocument | undefined; signal?: AbortSignal | undefined },
  ) {
    const { name, folder, mode, partials, old } = target
    this.name = name
    this.#target = target
    this.#folder = new LayoutFolder(folder, { name, isThere: false, mode, partials, firstIndex })
    this.#files =
      old === undefined ? this.#folder : new UpdatedFiles({ young: this.#folder, old: old.files, name })
    this.#layout = new Layout(this.#folder, { name, files: this.#files })
    this.#signal = signal
  }

  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    return this.#open().find(reference)
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#open().hasBlob(descriptor)
  }

  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult> {
    return this.#open().putBlob(descriptor, open, options)
  }

  /** As a layout stores it, so that several images can be put. */
  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    await this.#open().putManifest(manifest, tags)
  }

  /**
   * Writes the archive, which then appears under its name, and removes what was collected. An archive to which nothing
   * was added is left as it is.
   * @throws DrayError `IO`, also where somebody else has written the file in the meantime; `INTEGRITY` where a blob of the
   * old archive is damaged; `ABORTED`
   */
  async finish(): Promise<void> {
    this.#open()
    const isUnchanged = this.#target.old !== undefined && !this.#folder.isThere
    if (!isUnchanged) await this.#target.write(tar => packLayout(this.#files, tar, this.#signal))
    this.#state = 'finished'
    await this[Symbol.asyncDispose]()
  }

  /** Removes what was collected, unless the next run can go on with it. Without `finish` the file stays as it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return
    const isAbandoned = this.#state === 'open'
    this.#state = 'closed'
    const { old, partials, folder } = this.#target
    try {
      if (isAbandoned && partials !== undefined) await this.#folder.blobs.leaveParts()
      await onDisk(folder, rm(folder, { recursive: true, force: true }))
      await partials?.removeEmpty()
    } finally {
      await old?.close()
    }
  }

  #open(): Layout {
    if (this.#state === 'open') return this.#layout
    throw new Error(`${this.name}: nothing can be put any more`)
  }
}
