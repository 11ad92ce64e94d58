/**
 * How each program is told to do a job. Whether a peer verifies was tried with corrupted blobs: crane does when it reads
 * a registry but not when it pushes a layout, skopeo always does, and oras when it writes a layout.
 */
import type { Program, Verb } from './case.ts'
import { crane, oras, orasEnd, ours, skopeo, skopeoCopy } from './invocations.ts'
import { dray, node } from './programs.ts'

const peers: readonly Program[] = ['crane', 'skopeo', 'oras']

/** From registry to registry, in the programs' own ways. */
export const copy = copyWith({})

/** As `copy`; nobody hashes, as oras never does. */
export const copyUnverified = copyWith({ dray: ['--no-verify'] })

/** As `copy`; crane, which uses as many connections as there are processors, has enough of them for a long way. */
export const copyWide = copyWith({ crane: ['-j', '16'] })

/** A copy that moves no blob: what is wanted is there already, or in the same registry. */
export const copyWithoutBytes: Verb = { ...copy, verifies: peers }

/** From a registry into an OCI layout. */
export const pull: Verb = {
  peers,
  verifies: peers,
  tell: scene => ({
    dray: ours(scene, ['copy', '--quiet', scene.source, `oci:${scene.layout}:big`]),
    crane: crane(scene, ['pull', '--format', 'oci', scene.source, scene.layout]),
    skopeo: skopeoCopy(scene, `docker://${scene.source}`, `oci:${scene.layout}:big`),
    oras: oras(scene, [
      'cp',
      ...orasEnd(scene, 'from'),
      '--to-oci-layout',
      scene.source,
      `${scene.layout}:big`,
    ]),
  }),
}

/** From an OCI layout into a registry. Without `--index` crane pushes the index that is tagged, not the layout's own. */
export const push: Verb = {
  peers,
  verifies: ['skopeo'],
  tell: scene => ({
    dray: ours(scene, ['copy', '--quiet', `oci:${scene.layout}:big`, scene.destination]),
    crane: crane(scene, ['push', scene.layout, scene.destination]),
    skopeo: skopeoCopy(scene, `oci:${scene.layout}:big`, `docker://${scene.destination}`),
    oras: oras(scene, [
      'cp',
      '--from-oci-layout',
      ...orasEnd(scene, 'to'),
      `${scene.layout}:big`,
      scene.destination,
    ]),
  }),
}

/** One more tag. */
export const tag: Verb = {
  peers,
  verifies: peers,
  tell: scene => ({
    dray: ours(scene, ['tag', '--quiet', scene.source, tagOf(scene.destination)]),
    crane: crane(scene, ['tag', scene.source, tagOf(scene.destination)]),
    skopeo: skopeoCopy(scene, `docker://${scene.source}`, `docker://${scene.destination}`),
    oras: oras(scene, ['tag', ...orasEnd(scene), scene.source, tagOf(scene.destination)]),
  }),
}

/** What a tag stands for. skopeo has no verb for it: its `inspect` reads the image too. */
export const digest: Verb = {
  peers: ['crane', 'oras', 'node'],
  verifies: peers,
  tell: scene => ({
    dray: ours(scene, ['digest', scene.source]),
    crane: crane(scene, ['digest', scene.source]),
    oras: oras(scene, ['resolve', ...orasEnd(scene), scene.source]),
    node: node(),
  }),
}

/** All tags of a repository. */
export const list: Verb = {
  peers,
  verifies: peers,
  tell: scene => ({
    dray: ours(scene, ['ls', repositoryOf(scene.source)]),
    crane: crane(scene, ['ls', repositoryOf(scene.source)]),
    skopeo: skopeo(scene, [
      'list-tags',
      ...(scene.authority === undefined ? ['--tls-verify=false'] : []),
      `docker://${repositoryOf(scene.source)}`,
    ]),
    oras: oras(scene, ['repo', 'tags', ...orasEnd(scene), repositoryOf(scene.source)]),
  }),
}

/** The least that the program can do. */
export const version: Verb = {
  peers: ['node'],
  verifies: [],
  tell: () => ({ dray: dray('version'), node: node() }),
}

function copyWith(flags: Readonly<Partial<Record<Program, readonly string[]>>>): Verb {
  return {
    peers,
    verifies: ['crane', 'skopeo'],
    tell: scene => ({
      dray: ours(scene, ['copy', '--quiet', ...(flags.dray ?? []), scene.source, scene.destination]),
      crane: crane(scene, ['copy', ...(flags.crane ?? []), scene.source, scene.destination]),
      skopeo: skopeoCopy(scene, `docker://${scene.source}`, `docker://${scene.destination}`),
      oras: oras(scene, [
        'cp',
        ...orasEnd(scene, 'from'),
        ...orasEnd(scene, 'to'),
        scene.source,
        scene.destination,
      ]),
    }),
  }
}

function repositoryOf(reference: string): string {
  return reference.slice(0, reference.lastIndexOf(':'))
}

function tagOf(reference: string): string {
  return reference.slice(reference.lastIndexOf(':') + 1)
}
