import {
  DockerArchiveDestination,
  type DockerArchiveDestinationOptions,
} from '../docker-archive/docker-archive-destination.ts'
import { openArchiveTarget } from '../layout/archive-target.ts'
import type { Engine } from './engine.ts'

export interface DaemonDestinationOptions
  extends Pick<DockerArchiveDestinationOptions, 'tmpDir' | 'format' | 'platform' | 'signal'> {}

/**
 * Opens an engine to load images into. They are collected in the temporary folder; `finish` sends them as one archive, and
 * the engine gives them their names.
 *
 * An engine that keeps manifests (docker with containerd's store) keeps an image's digest. Others keep what is unpacked, and
 * the image ID.
 * @throws DrayError `IO`
 */
export async function openDaemonDestination(
  engine: Engine,
  options: DaemonDestinationOptions,
): Promise<DockerArchiveDestination> {
  const target = await openArchiveTarget(content => engine.load(content), options)
  const name = `docker-daemon:${engine.name}`
  return new DockerArchiveDestination(
    { ...target, name },
    { ...options, findPresent: async image => (await engine.findImage(image))?.descriptor },
  )
}
