/** How content comes into a registry, by the requests of distribution-spec v1.1. */
import type { Connection } from './connection.ts'
import type { NamedContent } from './content.ts'
import { type Image, makeImage, manifestType } from './image.ts'

/** The repository in which all is done. */
export const base = '/v2/bench/image'

const chunkBytes = 16 * 1024 ** 2
const octets = { 'Content-Type': 'application/octet-stream' }

/** POST and PUT: the whole blob in one request. */
export async function push(connection: Connection, blob: NamedContent): Promise<void> {
  const place = await startUpload(connection)
  await connection.ask({
    method: 'PUT',
    path: withDigest(place, blob),
    body: blob,
    headers: octets,
    status: 201,
  })
}

/** POST, a PATCH for each chunk, and an empty PUT. */
export async function pushInChunks(connection: Connection, blob: NamedContent): Promise<void> {
  let place = await startUpload(connection)
  for (let start = 0; start < blob.bytes; start += chunkBytes) {
    const end = Math.min(start + chunkBytes, blob.bytes)
    const headers = { ...octets, 'Content-Range': `${start}-${end - 1}` }
    const body = blob.part(start, end)
    const answer = await connection.ask({ method: 'PATCH', path: place, headers, body, status: 202 })
    place = pathOf(answer.location)
  }
  const body = { bytes: 0, pieces: [] }
  await connection.ask({ method: 'PUT', path: withDigest(place, blob), body, status: 201 })
}

/** Pushes an image as `tag-0`. */
export async function putImage(connection: Connection, image: Image = makeImage(0)): Promise<void> {
  for (const blob of image.blobs) await push(connection, blob)
  await putManifest(connection, image.manifest, 'tag-0')
}

/** Pushes a manifest under a tag. */
export async function putManifest(connection: Connection, body: NamedContent, tag: string): Promise<void> {
  const headers = { 'Content-Type': manifestType }
  await connection.ask({ method: 'PUT', path: `${base}/manifests/${tag}`, headers, body, status: 201 })
}

async function startUpload(connection: Connection): Promise<string> {
  const { location } = await connection.ask({ method: 'POST', path: `${base}/blobs/uploads/`, status: 202 })
  return pathOf(location)
}

function withDigest(place: string, { digest }: NamedContent): string {
  return `${place}${place.includes('?') ? '&' : '?'}digest=${digest}`
}

/** Some servers answer with a whole URL, others with its path. */
function pathOf(location = ''): string {
  const { pathname, search } = new URL(location, 'http://127.0.0.1')
  return pathname + search
}
