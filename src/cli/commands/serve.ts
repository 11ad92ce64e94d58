import { type Command, Option } from 'commander'
import { DrayError } from '../../errors.ts'
import type { RequestEvent, ServerAuth } from '../../server/server.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { jsonLine } from '../output.ts'
import { printable } from '../printable.ts'
import { type CommonFlags, Session } from '../session.ts'
import { formatBytes } from '../units.ts'

interface ServeFlags extends CommonFlags {
  readonly address: string
  readonly htpasswd?: string
  readonly auth: 'basic' | 'token'
  readonly anonymousPull?: boolean
  readonly readOnly?: boolean
  readonly log: 'text' | 'json' | 'none'
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<dir>', 'the folder; each repository is an OCI layout in it')
    .option('-a, --address <host:port>', 'where to listen; port 0 takes a free one', '127.0.0.1:5000')
    .option('--htpasswd <file>', 'let only these users in (bcrypt: htpasswd -B)')
    .addOption(
      new Option('--auth <way>', 'how users prove themselves, with --htpasswd')
        .choices(['basic', 'token'])
        .default('basic'),
    )
    .option('--anonymous-pull', 'let everybody pull, with --htpasswd')
    .option('--read-only', 'refuse every push and delete')
    .addOption(
      new Option('--log <form>', 'how requests are logged on stderr')
        .choices(['text', 'json', 'none'])
        .default('text'),
    )
    .action((dir: string, flags: ServeFlags) => run(dir, flags, context))
  options.addFormatOption(command, '{{.Url}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray serve ./registry', 'a registry at 127.0.0.1:5000, for this machine'],
    ['dray serve ./registry --address 0.0.0.0:5000 --htpasswd users --auth token', 'with logins, for others'],
    ['dray copy alpine oci:./registry/alpine:3.20', 'put an image into the folder without the server'],
  ])
}

/** Prints the address once it answers, then serves until it is interrupted, which is its normal end. */
async function run(dir: string, flags: ServeFlags, context: CliContext): Promise<void> {
  const { startServer } = await import('../../server/server.ts')
  const { host, port } = parseAddress(flags.address)
  const session = new Session(context, flags)
  const auth = await serverAuth(flags)
  const onRequest = flags.quiet || flags.log === 'none' ? undefined : requestLog(flags.log, context)
  const server = await startServer({ dir, host, port, auth, readOnly: flags.readOnly, onRequest })
  try {
    await session.print({ url: server.url, host: server.host, port: server.port, dir, auth: auth.kind }, () =>
      printable(`serving ${dir} at ${server.url}`),
    )
    await interrupted(context.signal)
  } finally {
    await server.close()
  }
}

async function serverAuth({ htpasswd, auth, anonymousPull }: ServeFlags): Promise<ServerAuth> {
  if (htpasswd === undefined) {
    if (auth === 'token' || anonymousPull)
      throw new DrayError('USAGE', '--auth and --anonymous-pull need --htpasswd')
    return { kind: 'anonymous' }
  }
  const { readHtpasswd } = await import('../../server/auth/htpasswd.ts')
  const access = { users: await readHtpasswd(htpasswd), anonymousPull }
  return auth === 'token' ? { kind: 'token', service: 'dray', ...access } : { kind: 'basic', ...access }
}

/** @throws DrayError `USAGE` */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65535) {
    throw new DrayError('USAGE', `--address: "${text}" is not of the form host:port`, {
      hint: 'for example 127.0.0.1:5000',
    })
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

function requestLog(form: 'text' | 'json', context: CliContext): (event: RequestEvent) => void {
  return event => {
    const { error, ...fields } = event
    const fault = error === undefined ? {} : { error: String(error) }
    if (form === 'json')
      context.stderr.write(
        jsonLine({ time: new Date().toISOString(), ...fields, ms: Math.round(event.ms), ...fault }),
      )
    else context.stderr.write(`${printable(requestLine(event))}\n`)
  }
}

function requestLine({ method, path, status, ms, bytes, user, error }: RequestEvent): string {
  const time = new Date().toISOString().slice(11, 19)
  const who = user === undefined ? '' : ` ${user}`
  const fault = error === undefined ? '' : ` ${String(error)}`
  return `${time} ${status} ${method} ${path} ${formatBytes(bytes)} ${Math.round(ms)} ms${who}${fault}`
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
