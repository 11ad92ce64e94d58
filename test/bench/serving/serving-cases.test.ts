import { expect, it } from 'vitest'
import { cases } from '../cases.ts'
import { servingCases } from './serving-cases.ts'

it('names tell cases apart, and those about the server can be chosen by theirs', () => {
  const names = [...cases, ...servingCases].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.filter(name => name.includes('serve:'))).toEqual(servingCases.map(({ name }) => name))
})

it.each(servingCases)('$name keeps its connections busy and has a goal', ({ jobs, connections, goals }) => {
  expect(jobs).toBeGreaterThanOrEqual(connections)
  expect(goals).toMatchObject([{ measure: 'rate', to: 'docker-registry' }])
})
