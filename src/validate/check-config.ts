import type { ImageConfig } from '../oci/config.ts'
import { isDigest } from '../oci/digest.ts'
import type { ImageManifest } from '../oci/manifest.ts'
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts'
import { error, type Issue, warning } from './finding.ts'

/** What is wrong with a configuration by itself and against its manifest (image-spec v1.1, config.md). */
export function configIssues(config: ImageConfig, { layers }: ImageManifest): readonly Issue[] {
  const { os, architecture, created, rootfs, history } = config
  const issues: Issue[] = []
  if (!os || !architecture) issues.push(warning('the config does not say its platform'))
  if (created && Number.isNaN(Date.parse(created))) issues.push(warning('the date of creation is none'))
  const diffIds = rootfs?.diff_ids ?? []
  if (rootfs?.type && rootfs.type !== 'layers')
    issues.push(error(`the type of the rootfs is ${rootfs.type}, not layers`))
  if (diffIds.length !== layers.length) {
    issues.push(error(`there are ${diffIds.length} diff ids for ${layers.length} layers`))
  }
  for (const [at, diffId] of diffIds.entries()) {
    if (!isDigest(diffId)) issues.push(error(`diff_ids[${at}] is not a digest`))
  }
  const steps = history?.filter(step => !step.empty_layer).length
  if (steps !== undefined && steps > 0 && steps !== layers.length) {
    issues.push(
      warning(`the history has ${steps} steps that made a layer, there are ${layers.length} layers`),
    )
  }
  return issues
}

/** What an index says of an image's platform, against what its configuration says. Parts that one leaves open fit. */
export function platformIssues(listed: Platform | undefined, config: ImageConfig): readonly Issue[] {
  const own = platformOf(config)
  if (listed === undefined || own === undefined) return []
  const [one, other] = [normalizePlatform(listed), normalizePlatform(own)]
  const text = `is for ${formatPlatform(own)}, listed for ${formatPlatform(listed)}`
  if (one.os !== other.os || one.architecture !== other.architecture) return [error(text)]
  const isOther = (field: 'variant' | 'os.version') =>
    one[field] !== undefined && other[field] !== undefined && one[field] !== other[field]
  return isOther('variant') || isOther('os.version') ? [warning(text)] : []
}

/** The platform that a configuration names; undefined where it leaves it open. */
export function platformOf(config: ImageConfig): Platform | undefined {
  const { os, architecture, variant, 'os.version': version } = config
  if (!os || !architecture) return undefined
  return {
    os,
    architecture,
    ...(variant ? { variant } : {}),
    ...(version ? { 'os.version': version } : {}),
  }
}
