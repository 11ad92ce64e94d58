import { stat } from 'node:fs/promises'
import { CachedDestination } from '../bundle/cached-destination.ts'
import { NamedDestination } from '../bundle/named-destination.ts'
import type { PackedImage } from '../docker-archive/packed-image.ts'
import { DrayError } from '../errors.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import type { ImageDestination } from '../image-store.ts'
import type { Reference } from '../oci/reference.ts'
import { isPath } from './location.ts'
import type { Session } from './session.ts'
import { openDockerArchiveTarget, openLayoutArchiveTarget, openLayoutTarget } from './stored-places.ts'

/** In what form images are stored: `legacy` as docker saved them before version 25. */
export const pullForms = ['oci', 'docker', 'legacy', 'dir'] as const
/** A value of `--as`. */
export type PullForm = (typeof pullForms)[number]

/** Where pulled images go to. */
export interface PullTarget {
  /** Where an image goes to that is called so, and with which tags. */
  forImage(reference: Reference): { readonly store: ImageDestination; readonly tags: readonly string[] }
  /** Where that goes which has no tag and belongs to an image. */
  readonly untagged?: ImageDestination
  /** What became of images whose manifests the form does not hold, when all is written. */
  packed(): readonly PackedImage[]
}

export interface PullTargetOptions {
  readonly path: string
  readonly form: PullForm
  readonly cachePath?: string | undefined
}

/**
 * Opens what images are pulled into: a folder or an archive, which is made where it is missing, and added to where it can
 * hold many images.
 * @throws DrayError `USAGE` where something is there that no image can be added to
 */
export async function openPullTarget(options: PullTargetOptions, session: Session): Promise<PullTarget> {
  const { path, form, cachePath } = options
  const cached = await throughCache(cachePath)
  const { storage } = session
  const isArchive = await isArchivePath(path)
  if (form === 'dir') {
    if (isArchive) throw new DrayError('USAGE', `--as dir: ${path} is to be a folder`)
    const { openImageFolder } = await import('../dir/image-folder.ts')
    const folder = await openImageFolder(path, { create: true })
    session.finishLater(folder)
    return { forImage: () => ({ store: cached(folder), tags: [] }), packed: () => [] }
  }
  const target = path === '-' ? storage.streams.writeStdout(path) : path
  if (form !== 'oci') {
    const archive = await openDockerArchiveTarget(target, { format: form }, storage)
    session.finishLater(archive)
    return {
      forImage: reference => ({
        store: cached(archive.repository(repositoryOf(reference))),
        tags: tagsOf(reference),
      }),
      packed: () => archive.packed,
    }
  }
  const layout = isArchive ? await openLayoutArchiveTarget(target, storage) : await openLayoutTarget(path)
  session.finishLater(layout)
  return {
    forImage: reference => ({
      store: new NamedDestination(cached(layout), repositoryOf(reference)),
      tags: tagsOf(reference),
    }),
    untagged: cached(layout),
    packed: () => [],
  }
}

/** A name that ends as an archive's does, or a file that is there. */
async function isArchivePath(path: string): Promise<boolean> {
  if (path === '-') return true
  const status = await ifThere(onDisk(path, stat(path)))
  return status === undefined ? isPath(path.replace(/^[./]+/, '')) : !status.isDirectory()
}

async function throughCache(dir: string | undefined): Promise<(store: ImageDestination) => ImageDestination> {
  if (dir === undefined) return store => store
  const { openLayout } = await import('../layout/layout.ts')
  const cache = await openLayout(dir, { create: true })
  return store => new CachedDestination(store, cache)
}

function repositoryOf({ registry, repository }: Reference): string {
  return `${registry}/${repository}`
}

function tagsOf({ tag }: Reference): readonly string[] {
  return tag === undefined ? [] : [tag]
}
