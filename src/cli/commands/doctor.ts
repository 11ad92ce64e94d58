import { type Command, Option } from 'commander'
import type { StepReport } from '../../doctor/examine.ts'
import type { Purpose } from '../../doctor/patient.ts'
import { DrayError } from '../../errors.ts'
import type { CliContext } from '../context.ts'
import { withPassword } from '../login-search.ts'
import * as options from '../options.ts'
import { jsonLine } from '../output.ts'
import { redact } from '../redact.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { formatTarget, parseTarget } from '../target.ts'

interface DoctorFlags extends CommonFlags, options.EndFlags {
  readonly for: Purpose
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<reference>', 'an image, a repository or a registry')
    .addOption(
      new Option('--for <purpose>', 'what must be possible for the exit code 0')
        .choices(['pull', 'push', 'delete'] satisfies Purpose[])
        .default('pull'),
    )
    .action((text: string, flags: DoctorFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Healthy}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray doctor ghcr.io/org/app:1.0', 'why an image cannot be pulled'],
    ['dray doctor --for push registry.example/team/app', 'why it cannot be pushed to'],
    ['dray doctor registry.example:5000', 'a registry as a whole'],
    ['dray doctor --format json alpine', 'the same for a script'],
  ])
}

async function run(text: string, flags: DoctorFlags, context: CliContext): Promise<void> {
  const target = parseTarget(text)
  const { registry } = target
  await withSession(new Session(context, flags, { registries: [registry] }), async session => {
    const { connections } = session
    const { examine } = await import('../../doctor/examine.ts')
    const { steps } = await import('../../doctor/steps.ts')
    const { doctorPatient } = await import('../doctor-patient.ts')
    const ends = await withPassword(options.endFlags(flags), context)
    const patient = doctorPatient({ target, purpose: flags.for, flags: ends, context, connections })
    const show = await display(flags, context)
    const reports: StepReport[] = []
    for await (const report of examine(patient, steps)) {
      const shown = { ...redacted(report), error: report.error }
      reports.push(shown)
      await show?.(shown)
    }
    const failure = reports.find(({ status }) => status === 'failed')
    const reference = formatTarget(target)
    const document = {
      reference,
      registry,
      healthy: failure === undefined,
      steps: reports.map(documentOf),
    }
    if (show === undefined) await session.print(document, () => '')
    if (failure !== undefined) throw conclusion(failure, reference, flags.for)
  })
}

/** What shows each step as it comes; undefined for formats that have one document. */
async function display(
  { format = { kind: 'text' } }: DoctorFlags,
  { env, stdout }: CliContext,
): Promise<((report: StepReport) => Promise<void>) | undefined> {
  if (format.kind === 'jsonl') return report => stdout.write(jsonLine(documentOf(report)))
  if (format.kind !== 'text') return undefined
  const { chooseColor } = await import('../progress.ts')
  const { stepText } = await import('../doctor-view.ts')
  const view = { columns: stdout.columns, color: chooseColor({ env, isTTY: stdout.isTerminal }) }
  return report => stdout.write(stepText(report, view))
}

function documentOf({ error, ...report }: StepReport): object {
  return report
}

/** What registries say may hold what they were sent. */
function redacted({ error, ...report }: StepReport): StepReport {
  return JSON.parse(JSON.stringify(report), (_, value) => (typeof value === 'string' ? redact(value) : value))
}

/** What to do about it stands with the step. */
function conclusion({ step, message, error }: StepReport, reference: string, purpose: Purpose): DrayError {
  const deed = { pull: 'pull from', push: 'push to', delete: 'delete from' }[purpose]
  return new DrayError(error?.code ?? 'REGISTRY', `cannot ${deed} ${reference}: ${step}: ${message}`, {
    cause: error,
  })
}
