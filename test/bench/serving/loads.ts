import { randomBytes } from 'node:crypto'
import type { Connection } from './connection.ts'
import { bigBlobs, type NamedContent, small } from './content.ts'
import { makeImage, manifestType } from './image.ts'
import { base, push, pushInChunks, putImage, putManifest } from './pushes.ts'

/** One kind of work that a server is given over and over. */
export interface Load {
  /** Puts into an empty server what the work needs. */
  prepare?(connection: Connection): Promise<void>
  /** One job, over a connection that no other job uses; `number` is another for each. */
  work(connection: Connection, number: number): Promise<void>
}

export type LoadName = keyof typeof loads

const kb = 1024
const mb = 1024 * kb
/** What a job of the loads with big blobs moves, in bytes. */
export const bigBytes = 256 * mb

/** For tests, which have not the time for all that the names of the loads say. */
export interface LoadSizes {
  readonly bigBytes: number
  readonly tags: number
}

const allSizes: LoadSizes = { bigBytes, tags: 1000 }

/** All loads, each made for one server. */
export const loads = {
  'HEAD manifest': () => reading('HEAD', `${base}/manifests/tag-0`, putImage),
  'GET manifest': () => {
    const image = makeImage(0)
    return reading('GET', `${base}/manifests/${image.manifest.digest}`, connection =>
      putImage(connection, image),
    )
  },
  'HEAD blob': () => readingBlob('HEAD', small(randomBytes(kb))),
  'GET blob': () => readingBlob('GET', small(randomBytes(kb))),
  'list 1,000 tags': ({ tags } = allSizes) =>
    reading('GET', `${base}/tags/list`, connection => putTags(connection, tags)),
  'PUT manifest': () => {
    const image = makeImage(0)
    return {
      prepare: connection => putImage(connection, image),
      work: (connection, number) =>
        putManifest(connection, makeImage(number, image).manifest, `tag-${number}`),
    }
  },
  'push 1 KB': () => ({ work: connection => push(connection, small(randomBytes(kb))) }),
  'pull 256 MB': ({ bigBytes } = allSizes) => readingBlob('GET', bigBlobs(bigBytes)()),
  'push 256 MB': ({ bigBytes } = allSizes) => {
    const next = bigBlobs(bigBytes)
    return { work: connection => push(connection, next()) }
  },
  'push 256 MB in chunks': ({ bigBytes } = allSizes) => {
    const next = bigBlobs(bigBytes)
    return { work: connection => pushInChunks(connection, next()) }
  },
} satisfies Record<string, (sizes?: LoadSizes) => Load>

function reading(method: 'GET' | 'HEAD', path: string, prepare: NonNullable<Load['prepare']>): Load {
  return {
    prepare,
    work: async connection => {
      // Without it docker-registry has no manifest of this type.
      await connection.ask({ method, path, headers: { Accept: manifestType }, status: 200 })
    },
  }
}

function readingBlob(method: 'GET' | 'HEAD', blob: NamedContent): Load {
  return {
    prepare: connection => push(connection, blob),
    work: async connection => {
      const { bytes } = await connection.ask({ method, path: `${base}/blobs/${blob.digest}`, status: 200 })
      const wanted = method === 'HEAD' ? 0 : blob.bytes
      if (bytes !== wanted) throw new Error(`${bytes} bytes came instead of ${wanted}`)
    },
  }
}

async function putTags(connection: Connection, tags: number): Promise<void> {
  const image = makeImage(0)
  await putImage(connection, image)
  for (let tag = 1; tag < tags; tag += 1) await putManifest(connection, image.manifest, `tag-${tag}`)
}
