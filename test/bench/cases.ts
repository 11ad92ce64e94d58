import type { Case, ImageShape } from './case.ts'
import type { Goal } from './goals.ts'
import {
  copy,
  copyUnverified,
  copyWide,
  copyWithoutBytes,
  digest,
  list,
  pull,
  push,
  tag,
  version,
} from './verbs.ts'

const kb = 1024
const mb = 1024 * kb
const gb = 1024 * mb

/** The connections have a round trip of 40 ms: 20 ms each way. */
const farMs = 20

const small = { platforms: 1, layers: 1, layerBytes: 100 * kb }
const tens = { platforms: 1, layers: 10, layerBytes: 10 * mb }
const big = { platforms: 1, layers: 4, layerBytes: 256 * mb }
const many = { platforms: 8, layers: 20, layerBytes: 256 * kb }
const few = { platforms: 2, layers: 20, layerBytes: 256 * kb }
const memory = { platforms: 1, layers: 4, layerBytes: 100 * mb }

const best = (atMost: number): Goal => ({ measure: 'wall', to: 'best', atMost })
const crane = (atMost: number): Goal => ({ measure: 'wall', to: 'crane', atMost })
const oras = (atMost: number): Goal => ({ measure: 'wall', to: 'oras', atMost })
const requests = (atMost: number): Goal => ({ measure: 'requests', atMost })

/** Every case has this one too. */
export const memoryGoal: Goal = { measure: 'memory', atMost: 80 }

const unverified = {
  verb: copyUnverified,
  peers: ['oras'],
  needs: '--no-verify',
  goals: [oras(1.1)],
} as const

/** The whole bench, in the order of its table; the goals are those that the project set itself. */
export const cases: readonly Case[] = [
  { name: 'version', verb: version, goals: [{ measure: 'wall', to: 'node', atMost: 1.2 }] },
  {
    name: 'digest',
    verb: digest,
    image: small,
    to: 'nowhere',
    goals: [requests(1), { measure: 'processor', above: 'node', atMost: 60 }],
  },
  { name: 'retag', verb: tag, image: small, to: 'same repository', goals: [requests(2)] },
  { name: 'list 2,000 tags', verb: list, image: small, to: 'nowhere', tags: 2000 },
  { name: 'copy 1 × 100 KB', verb: copy, image: small, goals: [requests(coldRequests(small))] },
  { name: 'copy 10 × 10 MB', verb: copy, image: tens, goals: [best(1), requests(coldRequests(tens))] },
  { name: 'copy 4 × 256 MB', verb: copy, image: big, goals: [best(1), requests(coldRequests(big))] },
  {
    name: 'copy 8 × 20 × 256 KB',
    verb: copy,
    image: many,
    goals: [best(0.75), requests(coldRequests(many))],
  },
  { name: 'copy --no-verify 10 × 10 MB', image: tens, ...unverified },
  { name: 'copy --no-verify 4 × 256 MB', image: big, ...unverified },
  { name: 'copy --no-verify 8 × 20 × 256 KB', image: many, ...unverified },
  {
    name: 'copy, nothing to do',
    verb: copyWithoutBytes,
    image: many,
    to: 'full registry',
    goals: [requests(2)],
  },
  {
    name: 'mount 8 × 20 × 256 KB',
    verb: copyWithoutBytes,
    image: many,
    to: 'same registry',
    goals: [best(0.65)],
  },
  { name: 'pull 4 × 256 MB', verb: pull, image: big, to: 'layout', goals: [best(1), crane(1)] },
  { name: 'push 8 × 20 × 256 KB', verb: push, image: many, from: 'layout', goals: [best(0.8), crane(0.8)] },
  { name: 'TLS: copy 10 × 10 MB', verb: copy, image: tens, tls: true },
  { name: 'TLS: copy 8 × 20 × 256 KB', verb: copy, image: many, tls: true },
  { name: '40 ms: copy 2 × 20 × 256 KB', verb: copyWide, image: few, delayMs: farMs, goals: [crane(0.5)] },
  {
    name: '40 ms: copy, nothing to do',
    verb: copyWithoutBytes,
    image: few,
    to: 'full registry',
    delayMs: farMs,
    goals: [crane(0.7)],
  },
  { name: '40 ms: digest', verb: digest, image: few, to: 'nowhere', delayMs: farMs, goals: [crane(1)] },
  { name: 'memory: copy 400 MB', verb: copy, image: memory, peers: [] },
  {
    name: 'memory: copy 4 GB',
    verb: copy,
    image: { ...memory, layerBytes: gb },
    peers: [],
    large: true,
    // What the same run takes twice differs by a few MB.
    goals: [{ measure: 'growth', over: 'memory: copy 400 MB', atMost: 5 }],
  },
]

/**
 * Three for each blob (POST, GET, PUT) and for each manifest (a HEAD at the destination, GET, PUT); a single image is looked
 * for by tag and by digest.
 */
export function coldRequests({ platforms, layers }: ImageShape): number {
  const blobs = platforms * (layers + 1)
  return platforms === 1 ? 3 * blobs + 4 : 3 * (blobs + platforms + 1)
}
