import { describe, expect, it } from 'vitest'
import { describeJudgement, type Goal, judge } from './goals.ts'
import { sampleResult } from './sample-result.ts'

const result = sampleResult('copy', { crane: 200, skopeo: 125, oras: 50, node: 40 })
const lighter = { ...result, name: 'small', dray: { wallMs: 1, cpuMs: 1, memoryMb: 50, requests: 1 } }

describe('a goal is judged', () => {
  it.each<[string, Goal, string | undefined]>([
    ['wall ≤ 0.75 of the best: 0.80 ✗', { measure: 'wall', to: 'best', atMost: 0.75 }, 'skopeo'],
    ['wall ≤ 0.8 of the best: 0.80 ✓', { measure: 'wall', to: 'best', atMost: 0.8 }, 'skopeo'],
    ['wall ≤ 0.5 of crane: 0.50 ✓', { measure: 'wall', to: 'crane', atMost: 0.5 }, 'crane'],
    ['wall ≤ 1.1 of oras: 2.00 ✗', { measure: 'wall', to: 'oras', atMost: 1.1 }, 'oras'],
    ['rate ≥ 1.25 of skopeo: 1.25 ✓', { measure: 'rate', to: 'skopeo', atLeast: 1.25 }, 'skopeo'],
    ['rate ≥ 0.6 of oras: 0.50 ✗', { measure: 'rate', to: 'oras', atLeast: 0.6 }, 'oras'],
    ['≤ 9 requests: 9 ✓', { measure: 'requests', atMost: 9 }, 'skopeo'],
    ['≤ 8 requests: 9 ✗', { measure: 'requests', atMost: 8 }, 'skopeo'],
    ['≤ 50 MB: 60 ✗', { measure: 'memory', atMost: 50 }, 'skopeo'],
    ['processor ≤ 60 ms above node: 40 ✓', { measure: 'processor', above: 'node', atMost: 60 }, 'node'],
    ['memory ≤ 5 MB above "small": 10 ✗', { measure: 'growth', over: 'small', atMost: 5 }, 'skopeo'],
  ])('%s', (text, goal, peer) => {
    const judgement = judge(goal, result, [result, lighter])
    expect(describeJudgement(judgement)).toBe(text)
    expect(judgement.peer).toBe(peer)
  })
})

describe('a goal stays open', () => {
  it.each<[string, Goal]>([
    ['where the peer was not there', { measure: 'wall', to: 'crane', atMost: 1 }],
    ['where the other server was not there', { measure: 'rate', to: 'docker-registry', atLeast: 1 }],
    ['where nobody verifies', { measure: 'wall', to: 'best', atMost: 1 }],
    ['where the other case was not chosen', { measure: 'growth', over: 'small', atMost: 1 }],
  ])('%s', (_, goal) => {
    const judgement = judge(goal, sampleResult('copy', { oras: 50 }), [])
    expect(judgement).toMatchObject({ value: undefined, met: undefined })
    expect(describeJudgement(judgement)).toMatch(/: not measured$/)
  })

  it('where memory cannot be measured', () => {
    const blind = { ...result, dray: { wallMs: 1, cpuMs: undefined, memoryMb: undefined, requests: 1 } }
    expect(judge({ measure: 'memory', atMost: 80 }, blind, []).met).toBeUndefined()
    expect(judge({ measure: 'processor', above: 'node', atMost: 60 }, blind, []).met).toBeUndefined()
  })
})
