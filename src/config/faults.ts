import type * as z from 'zod/mini'
import { quote } from '../errors.ts'

type Issue = z.core.$ZodIssue

/** What is wrong with a document, and where. */
export interface Fault {
  readonly path: readonly PropertyKey[]
  readonly what: string
}

/** The first thing that a schema finds wrong, in words that quote names and never values, which may be secret. */
export function firstFault({ issues }: { readonly issues: readonly Issue[] }): Fault {
  // A key that is misspelt is missing too, and only its name tells why.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  return issue === undefined ? { path: [], what: 'it is malformed' } : faultOf(issue)
}

/** `registries["docker.io"].mirrors[0]` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((step, at) => {
      if (typeof step === 'number') return `[${step}]`
      const name = String(step)
      if (!/^[\w-]+$/.test(name)) return `[${quote(name)}]`
      return at === 0 ? name : `.${name}`
    })
    .join('')
}

function faultOf(issue: Issue): Fault {
  const { path } = issue
  switch (issue.code) {
    case 'unrecognized_keys': {
      const [key = ''] = issue.keys
      return { path: [...path, key], what: 'there is no such key' }
    }
    case 'invalid_key':
      return { path, what: firstFault(issue).what }
    case 'invalid_union':
      return within(path, alternative(issue.errors))
    case 'invalid_type':
      return { path, what: `it must be ${kinds[issue.expected] ?? `a ${issue.expected}`}` }
    case 'invalid_value':
      return { path, what: `it must be one of ${issue.values.join(', ')}` }
    case 'too_small':
      if (issue.origin === 'string') return { path, what: 'it is empty' }
      return {
        path,
        what: `it must be ${issue.inclusive ? `${issue.minimum} or more` : `more than ${issue.minimum}`}`,
      }
    case 'too_big':
      return { path, what: `it must be ${issue.maximum} or less` }
    case 'custom':
      return { path, what: issue.message }
    default:
      return { path, what: 'it has the wrong form' }
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
}

/** Of several forms, the one that was meant: its kind is the right one. */
function alternative(forms: readonly (readonly Issue[])[]): Fault {
  const meant = forms.find(
    ([first]) => first !== undefined && !(first.code === 'invalid_type' && first.path.length === 0),
  )
  const issue = meant?.find(({ code }) => code === 'unrecognized_keys') ?? meant?.[0]
  return issue === undefined ? { path: [], what: 'it has the wrong kind' } : faultOf(issue)
}

function within(path: readonly PropertyKey[], fault: Fault): Fault {
  return { ...fault, path: [...path, ...fault.path] }
}
