import type { Goal } from '../goals.ts'
import { bigBytes, type LoadName } from './loads.ts'
import type { ServingCase } from './serving-case.ts'

interface Work {
  readonly load: LoadName
  readonly jobs: number
  readonly warmUp?: number
}

/** Many small requests; pushing a blob takes two. */
const requests: readonly Work[] = [
  { load: 'HEAD manifest', jobs: 1000 },
  { load: 'GET manifest', jobs: 1000 },
  { load: 'HEAD blob', jobs: 1000 },
  { load: 'GET blob', jobs: 1000 },
  { load: 'list 1,000 tags', jobs: 500 },
  { load: 'PUT manifest', jobs: 200, warmUp: 200 },
  { load: 'push 1 KB', jobs: 400, warmUp: 400 },
]

/** Few big ones, for each of the connections. */
const transfers: readonly Work[] = [
  { load: 'pull 256 MB', jobs: 2 },
  { load: 'push 256 MB', jobs: 1, warmUp: 0 },
  { load: 'push 256 MB in chunks', jobs: 1, warmUp: 0 },
]

const megabytes = bigBytes / 1024 ** 2
const rate = (atLeast: number): readonly Goal[] => [{ measure: 'rate', to: 'docker-registry', atLeast }]

/** The embedded registry beside docker-registry, in the order of the table. */
export const servingCases: readonly ServingCase[] = [
  ...requests.flatMap(work =>
    [1, 16].map(connections => ({
      ...work,
      name: `serve: ${work.load}, ${connections} at once`,
      connections,
      goals: rate(1.5),
    })),
  ),
  ...transfers.flatMap(work =>
    [1, 4].map(connections => ({
      ...work,
      name: `serve: ${work.load}, ${connections} at once`,
      jobs: work.jobs * connections,
      connections,
      megabytes,
      goals: rate(0.8),
    })),
  ),
]
