import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'

/** A layer of one image or of both, with its place in each, from 0. Sizes are in bytes, as it is stored. */
export interface ComparedLayer {
  readonly kind: 'same' | 'added' | 'removed'
  readonly digest: Digest
  readonly size: number
  readonly from: number | null
  readonly to: number | null
}

/** How much of two images is the same, in bytes of layers as they are stored; a layer that occurs twice counts twice. */
export interface LayerBytes {
  readonly shared: number
  readonly added: number
  readonly removed: number
}

/** The layers of two images side by side, told apart by their digests; each occurrence has one partner at most. */
export function compareLayers(
  from: readonly Descriptor[],
  to: readonly Descriptor[],
): readonly ComparedLayer[] {
  const partners = partnersOf(from, to)
  const taken = new Set(partners.values())
  const rows: ComparedLayer[] = []
  let next = 0
  const addUpTo = (end: number) => {
    for (; next < end; next += 1) {
      const layer = to[next]
      if (layer !== undefined && !taken.has(next))
        rows.push({ ...known(layer), kind: 'added', from: null, to: next })
    }
  }
  for (const [at, layer] of from.entries()) {
    const partner = partners.get(at)
    if (partner === undefined) {
      rows.push({ ...known(layer), kind: 'removed', from: at, to: null })
      continue
    }
    addUpTo(partner)
    rows.push({ ...known(layer), kind: 'same', from: at, to: partner })
  }
  addUpTo(to.length)
  return rows
}

/** Adds up compared layers. */
export function layerBytes(layers: readonly ComparedLayer[]): LayerBytes {
  const sum = (wanted: ComparedLayer['kind']) =>
    layers.reduce((bytes, { kind, size }) => (kind === wanted ? bytes + size : bytes), 0)
  return { shared: sum('same'), added: sum('added'), removed: sum('removed') }
}

function known({ digest, size }: Descriptor) {
  return { digest, size }
}

function partnersOf(from: readonly Descriptor[], to: readonly Descriptor[]): ReadonlyMap<number, number> {
  const free = new Map<Digest, number[]>()
  for (const [at, { digest }] of to.entries()) free.set(digest, [...(free.get(digest) ?? []), at])
  const partners = new Map<number, number>()
  for (const [at, { digest }] of from.entries()) {
    const partner = free.get(digest)?.shift()
    if (partner !== undefined) partners.set(at, partner)
  }
  return partners
}
