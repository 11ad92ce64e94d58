/**
 * `npm run bench`: the built program beside the peers that are on this machine, in turns, against real registries on
 * memory-backed folders. Prints medians of wall time and the median of the ratios, pair by pair; `--json` for machines.
 */
import { startDockerRegistry } from './support/docker-registry.ts'
import { type GeneratedLayout, generateLayout } from './support/generated-layout.ts'
import { peer } from './support/peers.ts'
import { projectFolder, run } from './support/run.ts'

const rounds = Number(process.env.BENCH_ROUNDS ?? 5)
const size = { kb: 1024, mb: 1024 * 1024 }

interface Command {
  readonly program: string
  readonly args: readonly string[]
}

/** One thing to do, and how each program is told to. */
interface Case {
  readonly name: string
  readonly layers: readonly number[]
  /** The destination has the image already; otherwise it has a new name in each round, and nothing to mount from. */
  readonly warm?: boolean
  readonly commands: (image: string, destination: string) => Readonly<Record<string, Command>>
}

const cases: readonly Case[] = [
  { name: 'copy 1 × 100 KB', layers: [100 * size.kb], commands: copyCommands },
  { name: 'copy 40 × 256 KB', layers: Array(40).fill(256 * size.kb), commands: copyCommands },
  { name: 'copy 10 × 10 MB', layers: Array(10).fill(10 * size.mb), commands: copyCommands },
  { name: 'copy, nothing to do', layers: [100 * size.kb], warm: true, commands: copyCommands },
  { name: 'digest', layers: [100 * size.kb], commands: digestCommands },
]

interface Row {
  readonly case: string
  readonly peer: string
  readonly drayMs: number
  readonly peerMs: number
  /** Ours to the peer's; below 1 is faster. */
  readonly ratio: number
}

const rows: Row[] = []
for (const each of cases) rows.push(...(await measureCase(each)))
if (process.argv.includes('--json')) console.log(JSON.stringify(rows, null, 2))
else printTable(rows)

async function measureCase(measure: Case): Promise<Row[]> {
  await using layout = await generateLayout(...measure.layers)
  await using source = await startDockerRegistry({ auth: 'none' })
  const image = `${source.host}/bench/image:big`
  await seed(layout, image)
  const measured: Row[] = []
  for (const other of ['crane', 'skopeo', 'oras'] as const) {
    if (peer(other) === undefined || !(other in measure.commands(image, image))) continue
    measured.push(await measurePair(measure, other, { layout, image }))
  }
  return measured
}

/** In turns, A B A B, so that what else the machine does hits both; the first round is not counted. */
async function measurePair(
  { name, commands, warm }: Case,
  other: string,
  { layout, image }: { layout: GeneratedLayout; image: string },
): Promise<Row> {
  const pairs: { ours: number; theirs: number }[] = []
  for (let round = 0; round <= rounds; round += 1) {
    // A registry that was never met before: skopeo remembers where it has seen a blob.
    await using destination = await startDockerRegistry({ auth: 'none' })
    if (warm) await seed(layout, `${destination.host}/warm/image:big`)
    const to = (who: string) => `${destination.host}/${warm ? 'warm' : who}/image:big`
    const ours = await time(commands(image, to('dray')).dray)
    const theirs = await time(commands(image, to(other))[other])
    if (round > 0) pairs.push({ ours, theirs })
  }
  return {
    case: name,
    peer: other,
    drayMs: Math.round(median(pairs.map(pair => pair.ours))),
    peerMs: Math.round(median(pairs.map(pair => pair.theirs))),
    ratio: Number(median(pairs.map(pair => pair.ours / pair.theirs)).toFixed(2)),
  }
}

async function seed(layout: GeneratedLayout, image: string): Promise<void> {
  await time(dray('copy', '--quiet', `oci:${layout.path}:big`, image))
}

async function time(command: Command | undefined): Promise<number> {
  if (command === undefined) throw new Error('there is no such command')
  const start = performance.now()
  const { code, stderr } = await run(command.program, command.args)
  if (code !== 0) throw new Error(`${command.program} ${command.args.join(' ')}: ${stderr}`)
  return performance.now() - start
}

function copyCommands(image: string, fresh: string): Readonly<Record<string, Command>> {
  return {
    dray: dray('copy', '--quiet', image, fresh),
    crane: { program: 'crane', args: ['copy', '--insecure', image, fresh] },
    oras: { program: 'oras', args: ['cp', '--from-plain-http', '--to-plain-http', image, fresh] },
    skopeo: {
      program: 'skopeo',
      args: [
        'copy',
        '--all',
        '--src-tls-verify=false',
        '--dest-tls-verify=false',
        `docker://${image}`,
        `docker://${fresh}`,
      ],
    },
  }
}

function digestCommands(image: string): Readonly<Record<string, Command>> {
  return {
    dray: dray('digest', image),
    crane: { program: 'crane', args: ['digest', '--insecure', image] },
    oras: { program: 'oras', args: ['resolve', '--plain-http', image] },
  }
}

function dray(...args: string[]): Command {
  return { program: process.execPath, args: [`${projectFolder}/bin/dray.js`, ...args] }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function printTable(table: readonly Row[]): void {
  console.log('case                  peer      dray ms   peer ms   dray/peer')
  for (const row of table) {
    const { case: name, peer: other, drayMs, peerMs, ratio } = row
    console.log(
      `${name.padEnd(22)}${other.padEnd(10)}${String(drayMs).padStart(7)}${String(peerMs).padStart(10)}${ratio.toFixed(2).padStart(12)}`,
    )
  }
}
