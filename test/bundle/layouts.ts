import { join } from 'node:path'
import { type Layout, openLayout } from '../../src/layout/layout.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { putSample, type SampleImage, sampleImage } from '../support/sample-image.ts'

/** A new layout in a folder. */
export function newLayout(folder: string, name = 'layout'): Promise<Layout> {
  return openLayout(join(folder, name), { create: true })
}

/** An image that refers to another one. */
export function referrerOf(subject: Manifest, name: string): SampleImage {
  return sampleImage(name, {
    subject: descriptorOf(subject),
    artifactType: `application/vnd.example.${name}`,
  })
}

/** Puts an image that refers to another one. */
export async function putReferrer(layout: Layout, subject: Manifest, name: string): Promise<Manifest> {
  const image = referrerOf(subject, name)
  await putSample(layout, image)
  return image.manifest
}
