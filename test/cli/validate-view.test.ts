import { describe, expect, it } from 'vitest'
import { type ValidationDocument, validationText } from '../../src/cli/validate-view.ts'
import { digestOf } from '../../src/oci/digest.ts'

const digest = digestOf('x')
const valid: ValidationDocument = {
  reference: 'a.test/app:1',
  fast: false,
  digest,
  mediaType: '',
  valid: true,
  errors: 0,
  warnings: 0,
  findings: [],
  checked: { manifests: 1, blobs: 2, foreign: 0, bytes: 1234 },
}
const broken: ValidationDocument = {
  ...valid,
  valid: false,
  errors: 1,
  warnings: 1,
  findings: [
    { severity: 'warning', path: '.', digest, platform: null, what: 'one' },
    { severity: 'error', path: 'layers[0]', digest, platform: 'linux/\x1b[31m', what: 'entry "\u{202e}"' },
  ],
  checked: { manifests: 1, blobs: 1, foreign: 2, bytes: 0 },
}

describe('a validation for people', () => {
  it('says what was checked, where nothing is wrong', () => {
    expect(validationText(valid, { color: false })).toBe(
      'valid: no findings in 1 manifest, 2 blobs; 1.2 kB read\n',
    )
    expect(validationText({ ...valid, fast: true }, { color: false })).toContain('2 blobs (only looked for)')
  })

  it('has a line for each finding, in columns and with controls escaped', () => {
    expect(validationText(broken, { color: false })).toBe(
      [
        'warning  -                 the manifest  2d711642b726  one',
        'error    linux/\\u{1b}[31m  layers[0]     2d711642b726  entry "\\u{202e}"',
        'not valid: 1 error, 1 warning in 1 manifest, 1 blob, 2 foreign layers (not looked for); 0 B read',
        '',
      ].join('\n'),
    )
  })

  it('has colours where they are wanted', () => {
    expect(validationText(broken, { color: true })).toMatch(
      /\x1b\[31merror {2}\x1b\[39m.*\n\x1b\[31mnot valid\x1b\[39m/,
    )
    expect(validationText(valid, { color: true })).toMatch(/^\x1b\[32mvalid\x1b\[39m/)
  })
})
