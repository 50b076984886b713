#!/bin/bash
# Ready: slurmdbd answers a request.
set -euo pipefail
timeout 5 sacctmgr ping
