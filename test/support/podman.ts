import { join } from 'node:path'
import { peer, requirePeers } from './peers.ts'
import { type RunResult, run, start } from './run.ts'
import { makeTempDir } from './temp-dir.ts'

/** Podman with images of its own, and its service that speaks docker's API. */
export interface Podman extends AsyncDisposable {
  /** `unix:///tmp/…/podman.sock` */
  readonly host: string
  /** Runs podman over the same images. */
  run(...args: string[]): Promise<RunResult>
}

/** True where podman is installed and can unpack images: as root, since a user's own engine needs more than Debian sets up. */
export function hasPodman(): boolean {
  return requirePeers('podman') && process.getuid?.() === 0
}

/** Starts podman's service on a socket in a folder of its own. */
export async function startPodman(): Promise<Podman> {
  const folder = await makeTempDir()
  const socket = join(folder.path, 'podman.sock')
  const program = peer('podman') ?? 'podman'
  const storage = ['--root', join(folder.path, 'root'), '--runroot', join(folder.path, 'run')]
  // As plain files, which work everywhere, and without systemd.
  const own = [
    ...storage,
    '--storage-driver',
    'vfs',
    '--cgroup-manager',
    'cgroupfs',
    '--events-backend',
    'file',
  ]
  const service = ['--log-level', 'info', 'system', 'service', '--time', '0', `unix://${socket}`]
  const running = await start(program, [...own, ...service])
  const dispose = async () => {
    await running[Symbol.asyncDispose]()
    await folder.remove()
  }
  try {
    await running.printed(/API service listening/)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    host: `unix://${socket}`,
    run: (...args) => run(program, [...own, ...args]),
    [Symbol.asyncDispose]: dispose,
  }
}
