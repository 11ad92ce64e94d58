import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import type { Peer } from './peers.ts'
import { type RunResult, run, start } from './run.ts'
import { makeTempDir } from './temp-dir.ts'

export interface KeyringOptions {
  /** What answers on the bus: an unlocked GNOME Keyring if not given, or nothing. */
  readonly service?: 'gnome-keyring' | 'none' | undefined
  /** Who asks for the password of a locked keyring: nobody if not given, or a program that nobody answers. */
  readonly prompter?: 'none' | 'unanswered' | undefined
}

/** A D-Bus session of a test's own, with a keyring that lies in a folder of its own. */
export interface KeyringSession extends AsyncDisposable {
  /** What makes a program a part of the session. */
  readonly env: Readonly<Record<string, string>>
  /** The keyring's process. */
  readonly servicePid: number
  /** Locks the keyring; only its prompter can unlock it. */
  lock(): Promise<void>
}

/** What `startKeyring` runs. */
export const keyringPeers = [
  'dbus-run-session',
  'dbus-send',
  'gnome-keyring-daemon',
] as const satisfies Peer[]

/** Starts a session and returns when its keyring is there. */
export async function startKeyring(options: KeyringOptions = {}): Promise<KeyringSession> {
  await using starting = new AsyncDisposableStack()
  const folder = starting.use(await makeTempDir())
  const prompterPid = join(folder.path, 'prompter.pid')
  const home = await makeHome(folder.path)
  const bus = await writeBusConfig(folder.path, options.prompter === 'unanswered' ? prompterPid : undefined)
  const service = options.service === 'none' ? 'sleep 600' : keyringCommand
  const script = `echo "pid=$$ bus=$DBUS_SESSION_BUS_ADDRESS"; exec ${service}`
  const args = ['--config-file', bus, '--', 'sh', '-c', script]
  const running = await start('dbus-run-session', args, { env: home, input: 'a password' })
  const [, pid = '', address = ''] = await running.printed(/^pid=(\d+) bus=(.+)$/m)
  // The session ends with its service; without that it would leave the bus behind.
  starting.defer(async () => {
    killIfThere(pid)
    await running.ended
  })
  starting.defer(async () => killIfThere(await readFile(prompterPid, 'utf8').catch(() => '')))
  const env = { ...home, DBUS_SESSION_BUS_ADDRESS: address }
  if (options.service !== 'none') await keyringIsThere(env)
  const started = starting.move()
  return {
    env,
    servicePid: Number(pid),
    lock: async () => {
      expect(await askService(env, 'Lock', `array:objpath:${loginKeyring}`)).toMatchObject({ code: 0 })
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const keyringCommand = 'gnome-keyring-daemon --unlock --components=secrets --foreground'
const loginKeyring = '/org/freedesktop/secrets/collection/login'

async function makeHome(folder: string): Promise<Record<string, string>> {
  const run = join(folder, 'run')
  await mkdir(run, { mode: 0o700 })
  return { HOME: folder, XDG_DATA_HOME: join(folder, 'data'), XDG_RUNTIME_DIR: run }
}

/** A bus that starts nothing of the machine's by itself, so neither a second keyring nor a window. */
async function writeBusConfig(folder: string, prompterPid: string | undefined): Promise<string> {
  const services = join(folder, 'services')
  await mkdir(services)
  if (prompterPid !== undefined) {
    const script = join(folder, 'prompter.sh')
    await writeFile(script, `echo $$ >'${prompterPid}'; exec sleep 600\n`)
    const name = 'org.gnome.keyring.SystemPrompter'
    await writeFile(
      join(services, `${name}.service`),
      `[D-BUS Service]\nName=${name}\nExec=/bin/sh ${script}\n`,
    )
  }
  const config = join(folder, 'bus.conf')
  await writeFile(
    config,
    `<busconfig>
      <type>session</type>
      <listen>unix:path=${join(folder, 'bus')}</listen>
      <servicedir>${services}</servicedir>
      <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
    </busconfig>`,
  )
  return config
}

async function keyringIsThere(env: Readonly<Record<string, string>>): Promise<void> {
  await vi.waitFor(
    async () => expect((await askService(env, 'ReadAlias', 'string:default')).stdout).toContain(loginKeyring),
    20_000,
  )
}

/** Calls a method of the Secret Service (Secret Service API 0.2, `org.freedesktop.Secret.Service`). */
function askService(
  env: Readonly<Record<string, string>>,
  method: string,
  argument: string,
): Promise<RunResult> {
  const to = ['--session', '--print-reply', '--dest=org.freedesktop.secrets', '/org/freedesktop/secrets']
  return run('dbus-send', [...to, `org.freedesktop.Secret.Service.${method}`, argument], { env })
}

function killIfThere(pid: string): void {
  try {
    if (pid !== '') process.kill(Number(pid), 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
