import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Descriptor, descriptorSchema } from '../../src/oci/descriptor.ts'
import { type Digest, hexOf } from '../../src/oci/digest.ts'
import type { Manifest } from '../../src/oci/manifest.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'
import { projectFolder } from './run.ts'

/** A path in the project's `fixtures/`: `fixturePath('hello')`. */
export function fixturePath(...parts: string[]): string {
  return join(projectFolder, 'fixtures', ...parts)
}

/** A committed layout, read without the program's own code for layouts. */
export type FixtureLayout = 'hello' | 'hello-docker'

export function readFixtureBlob(layout: FixtureLayout, digest: Digest): Buffer {
  return readFileSync(fixturePath(layout, 'blobs', 'sha256', hexOf(digest)))
}

/** What a tag of a committed layout points at. */
export function fixtureDescriptor(layout: FixtureLayout, tag: string): Descriptor {
  const index: { manifests: unknown[] } = JSON.parse(readFileSync(fixturePath(layout, 'index.json'), 'utf8'))
  const found = index.manifests
    .map(entry => descriptorSchema.parse(entry))
    .find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag)
  if (found === undefined) throw new Error(`fixtures/${layout} has no tag ${tag}`)
  return found
}

export function readFixtureManifest(layout: FixtureLayout, descriptor: Descriptor): Manifest {
  const { digest, mediaType } = descriptor
  return parseManifest(readFixtureBlob(layout, digest), { digest, mediaType, name: `${layout}@${digest}` })
}

/** The bytes of one of the documents in `fixtures/manifests`. */
export function readOddManifest(name: string): Buffer {
  return readFileSync(fixturePath('manifests', `${name}.json`))
}

/** A body as a provider's own API sends it, of `fixtures/registries`. */
export function readRecorded(name: string): unknown {
  return JSON.parse(readFileSync(fixturePath('registries', `${name}.json`), 'utf8'))
}
