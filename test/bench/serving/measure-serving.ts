import { setTimeout as wait } from 'node:timers/promises'
import type { BenchOptions } from '../measure-case.ts'
import { isInstalled } from '../programs.ts'
import { type CaseResult, type Measurement, markBest, rowOf, summarise } from '../result.ts'
import { hasRoom } from '../stage.ts'
import { takeTurns } from '../turns.ts'
import { type RunningLoad, startLoad } from './load.ts'
import { forgetPeak, readCost } from './process-cost.ts'
import { type Server, type ServerProcess, startServer } from './server-process.ts'
import type { ServingCase } from './serving-case.ts'

const peer = 'docker-registry'
/** So long after a push, what a registry remembers of its files may hold. */
const settleMs = 3000
/** Measures the embedded registry beside docker-registry. What goes wrong is told in `faults`. */
export async function measureServing(of: ServingCase, options: BenchOptions): Promise<CaseResult> {
  const { name } = of
  const skipped = await reasonToSkip(of)
  if (skipped !== undefined) return { name, dray: undefined, rows: [], skipped, faults: [] }
  options.say(`${name}, beside ${peer}`)
  try {
    await using played = new AsyncDisposableStack()
    const turn =
      of.warmUp === undefined ? await withTwo(of, options, played) : withNew(of, of.warmUp, options)
    const pairs = await takeTurns<Server>(turn, { peer, rounds: options.rounds })
    const dray = summarise(pairs.map(pair => pair.ours))
    const { jobs, megabytes } = of
    const work =
      megabytes === undefined
        ? ({ amount: dray.requests, unit: 'requests' } as const)
        : ({ amount: jobs * megabytes, unit: 'MB' } as const)
    return { name, dray, rows: markBest([rowOf(peer, true, pairs)]), work, faults: [] }
  } catch (error) {
    options.signal.throwIfAborted()
    return {
      name,
      dray: undefined,
      rows: [],
      faults: [error instanceof Error ? error.message : String(error)],
    }
  }
}

async function reasonToSkip({ megabytes = 0, jobs, warmUp }: ServingCase): Promise<string | undefined> {
  if (!isInstalled(peer)) return `${peer} is not installed`
  const layers = warmUp === undefined ? 1 : warmUp + jobs
  const shape = { platforms: 1, layers, layerBytes: megabytes * 1024 ** 2 }
  return (await hasRoom(shape)) ? undefined : 'there is no room for it'
}

type Turn = (server: Server) => Promise<Measurement>

/** Both run all the time, and the one waits while the other works. */
async function withTwo(
  of: ServingCase,
  { signal }: BenchOptions,
  played: AsyncDisposableStack,
): Promise<Turn> {
  const plays = {
    dray: played.use(await openPlay(of, 'dray', signal)),
    'docker-registry': played.use(await openPlay(of, 'docker-registry', signal)),
  }
  await wait(settleMs, undefined, { signal })
  return server => measure(plays[server], of.jobs, signal)
}

/** Each turn has a server that holds nothing yet. */
function withNew(of: ServingCase, warmUp: number, { signal }: BenchOptions): Turn {
  return async server => {
    await using play = await openPlay(of, server, signal)
    await play.load.work(warmUp, signal)
    return await measure(play, of.jobs, signal)
  }
}

/** A server and its load. */
interface Play extends AsyncDisposable {
  readonly server: ServerProcess
  readonly load: RunningLoad
}

async function openPlay(
  { load: name, connections }: ServingCase,
  which: Server,
  signal: AbortSignal,
): Promise<Play> {
  await using opening = new AsyncDisposableStack()
  const server = opening.use(await startServer(which, signal))
  const load = opening.use(await startLoad({ name, connections, port: server.port }, signal))
  const opened = opening.move()
  return { server, load, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function measure({ server, load }: Play, jobs: number, signal: AbortSignal): Promise<Measurement> {
  await forgetPeak(server.pid)
  const before = await readCost(server.pid)
  const spent = process.cpuUsage()
  const { wallMs, requests } = await load.work(jobs, signal)
  const { user, system } = process.cpuUsage(spent)
  const after = await readCost(server.pid)
  return {
    wallMs,
    requests,
    cpuMs: before && after && after.cpuMs - before.cpuMs,
    memoryMb: after?.memoryMb,
    loadCpuMs: (user + system) / 1000,
  }
}
