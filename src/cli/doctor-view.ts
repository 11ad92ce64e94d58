import { Chalk, type ChalkInstance } from 'chalk'
import type { StepReport } from '../doctor/examine.ts'
import type { StepStatus } from '../doctor/finding.ts'
import { printable } from './printable.ts'
import { padTo, widthOf } from './text-width.ts'

export interface DoctorViewOptions {
  /** How wide a line may be; lines are not broken where it is undefined. */
  readonly columns?: number | undefined
  readonly color: boolean
}

/** The columns of the status and of the step's name, with the spaces behind. */
const margin = { status: 9, step: 15 }

/** Lines shorter than this are read more easily below the name than beside it. */
const minWidth = 30

/** A step for people, with the newline at its end: its status, its name, what was found; below that the hint. */
export function stepText(report: StepReport, { columns, color }: DoctorViewOptions): string {
  const { step, status, message, hint } = report
  const paint = paints(new Chalk({ level: color ? 1 : 0 }))[status]
  const head = paint(status) + ' '.repeat(margin.status - status.length)
  const lines = [message, ...(hint === null || status === 'ok' ? [] : [`hint: ${hint}`])].map(printable)
  const beside = margin.status + margin.step
  const room = (columns ?? Number.POSITIVE_INFINITY) - beside
  if (room < minWidth) {
    const indent = '  '
    const below = lines.flatMap(line => wrap(line, (columns ?? 0) - indent.length))
    return [`${head}${step}`, ...below.map(line => indent + line)].join('\n').concat('\n')
  }
  const wrapped = lines.flatMap(line => wrap(line, room))
  return wrapped
    .map((line, at) => `${at === 0 ? head + padTo(step, margin.step) : ' '.repeat(beside)}${line}\n`)
    .join('')
}

function paints({ green, yellow, red, dim }: ChalkInstance): Record<StepStatus, ChalkInstance> {
  return { ok: green, warning: yellow, failed: red, skipped: dim }
}

/** Lines of whole words; a word that is longer than a line is left to the terminal. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || widthOf(last) + 1 + widthOf(word) > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
