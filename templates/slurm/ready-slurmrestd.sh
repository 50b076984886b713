#!/bin/bash
# Ready: slurmrestd answers HTTP. It refuses us for want of a token, which is an answer.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/6820
printf 'GET /openapi/v3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 3 status <&3
[[ $status == HTTP/1.1\ [24]* ]] || {
  printf 'slurmrestd answered: %s\n' "$status" >&2
  exit 1
}
