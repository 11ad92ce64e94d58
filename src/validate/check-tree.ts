import { isDrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import type { WorkGroup } from '../work-group.ts'
import { listBlobs } from './blob-uses.ts'
import { descriptorIssues, layerTypeIssues, listedIssues, manifestIssues } from './check-manifest.ts'
import { placeIn, type Report, warning } from './finding.ts'
import type { ListedManifest } from './read-tree.ts'

/** Reports what is wrong with a manifest, the descriptors that lead to it and those in it; no blob is looked at. */
export function checkManifest(listed: ListedManifest, report: Report): void {
  const { manifest, entries } = listed
  for (const { descriptor, place } of entries) {
    report(place, [...descriptorIssues(descriptor), ...listedIssues(descriptor, manifest)])
  }
  report(entries[0].place, manifestIssues(manifest))
  for (const { descriptor, place, layer } of listBlobs(listed)) {
    report(place, descriptorIssues(descriptor))
    if (layer !== undefined) report(place, layerTypeIssues(descriptor, manifest))
  }
}

/**
 * Reports the subjects that the source does not have. A registry takes a manifest whose subject comes later, or never
 * (distribution-spec v1.1, "Pushing Manifests with Subject").
 */
export async function checkSubjects(
  manifests: readonly ListedManifest[],
  { source, group, report }: { source: ImageSource; group: WorkGroup; report: Report },
): Promise<void> {
  const known = new Set(manifests.map(({ manifest }) => manifest.digest))
  await group.map(manifests, async ({ manifest, entries }) => {
    const { subject } = manifest.content
    if (subject === undefined || known.has(subject.digest)) return
    try {
      await source.resolve(subject.digest)
    } catch (fault) {
      if (!isDrayError(fault, 'NOT_FOUND')) throw fault
      report(placeIn(entries[0].place, 'subject', subject), [warning('the subject is not there')])
    }
  })
}
