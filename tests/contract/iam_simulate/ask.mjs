// Copyright (c) iamguard.console_mfa contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// One simulation a line in, one answer a line out: {"result": "Allowed" | "ExplicitlyDenied" | "ImplicitlyDenied"}
// or {"error": …, "details": …} when iam-simulate refuses the question. Ends with its input.

import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const answer = await runSimulation(JSON.parse(line), {})
  const ignored = answer.result?.ignoredContextKeys ?? []
  if (answer.resultType === 'error') {
    process.stdout.write(JSON.stringify({ error: answer.errors.message, details: answer.errors }) + '\n')
  } else if (ignored.length > 0) {
    process.stdout.write(JSON.stringify({ error: `context keys ignored: ${ignored}` }) + '\n')
  } else {
    process.stdout.write(JSON.stringify({ result: answer.overallResult }) + '\n')
  }
}
