import { describe, expect, it } from 'vitest'
import { formatOutput, jsonLine, parseFormat } from '../../src/cli/output.ts'

const document = { digest: 'sha256:ab', tags: ['v1', '\x1b[31m'] }
const format = (name: string, value: unknown = document, isTerminal = false) =>
  formatOutput(value, parseFormat(name), { text: () => 'for people', isTerminal })

describe('the output', () => {
  it('is what people read unless asked otherwise', () => {
    expect(format('text')).toBe('for people\n')
  })

  it('is indented JSON in the order of the document', () => {
    expect(format('json', { b: 1, a: [] })).toBe('{\n  "b": 1,\n  "a": []\n}\n')
  })

  it('is a line of JSON for each element of a list', () => {
    expect(format('jsonl', [{ a: 1 }, 'x'])).toBe('{"a":1}\n"x"\n')
    expect(format('jsonl', { a: 1 })).toBe('{"a":1}\n')
    expect(format('jsonl', [])).toBe('')
  })

  it('never has raw control characters in JSON', () => {
    expect(format('jsonl', '\x9b\u202e\x1b')).toBe('"\\u009b\\u202e\\u001b"\n')
    expect(jsonLine('\u{e0041}')).toBe('"\\udb40\\udc41"\n')
  })

  it('fills a template and ends with a newline', () => {
    expect(format('{{.Digest}}')).toBe('sha256:ab\n')
    expect(format('{{.Digest}}\\n')).toBe('sha256:ab\n')
  })

  it('escapes what a template prints on a terminal, and nowhere else', () => {
    expect(format('{{index .Tags 1}}')).toBe('\x1b[31m\n')
    expect(format('{{index .Tags 1}}\\n\\t', document, true)).toBe('\\u{1b}[31m\n\t\n')
  })

  it('has no other formats', () => {
    expect(() => parseFormat('yaml')).toThrow(
      expect.objectContaining({ code: 'USAGE', message: '--format: "yaml" is not a format' }),
    )
  })
})
