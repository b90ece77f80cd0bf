# bash completion for hubmirror
_hubmirror() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local commands="init crawl mirror sync daemon serve status search history changes report lineage why audit impact digest ls show verify pin unpin rm gc path index token config version"
  local global="--data-dir --config --upstream --allow-private --jobs --json --quiet --log-level --log-format --help --help-all --version"
  local i command="" words=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --data-dir | --config | --upstream | --allow-private | --jobs | -j | --log-level | --log-format) ((i++)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $prev in
    --data-dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W "debug info warning error off" -- "$cur"); return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$cur"); return ;;
    --html | --accept) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --fail-on) mapfile -t COMPREPLY < <(compgen -W "note warning problem never" -- "$cur"); return ;;
    --min-evidence) mapfile -t COMPREPLY < <(compgen -W "inferred declared files" -- "$cur"); return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W "tree dot mermaid" -- "$cur"); return ;;
    --from) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --formats) mapfile -t COMPREPLY < <(compgen -W "safetensors gguf onnx pytorch" -- "$cur"); return ;;
    --kind | --kinds) mapfile -t COMPREPLY < <(compgen -W "models datasets spaces" -- "$cur"); return ;;
    --gated) [[ $command == token ]] || mapfile -t COMPREPLY < <(compgen -W "yes no" -- "$cur"); return ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W "downloads likes trending created modified parameters" -- "$cur"); return ;;
    --name | --owner | --licence | --license | --library | --task | --tag | --min-downloads | --min-likes | --min-params | --max-params | --max-size | --created-since | --changed-since | --since | --limit | --policy | --refuse | --depth | --relation) return ;;
    --upstream | --allow-private | --jobs | --include | --exclude | --max-file-size | --revision | --rate | --reason | --repos | --private | --expires) return ;;
  esac
  case $command in
    "") words="$commands $global" ;;
    mirror) words="--from --unfinished --revision --include --exclude --max-file-size --formats --all-history --pull-requests $global" ;;
    crawl) words="--once --kinds $global" ;;
    sync) words="--plan --offline --policies --new --due $global" ;;
    serve) words="--listen $global" ;;
    daemon) words="--status --metrics $global" ;;
    status) words="--diff --all $global" ;;
    search) words="--kind --name --owner --licence --license --library --task --tag --gated --min-downloads --min-likes --min-params --max-params --max-size --created-since --changed-since --sort --limit --gone $global" ;;
    report) words="ecosystem --csv --html --fail-on $global" ;;
    lineage) words="--up --down --depth --relation --min-evidence --format --html $global" ;;
    why) words="--min-evidence $global" ;;
    audit) words="licences origins lineage hashes history closure --policy --all --accept --refuse --since --csv --html --fail-on $global" ;;
    impact) words="--csv --html --fail-on $global" ;;
    changes) words="--since --limit $global" ;;
    ls) words="--long --unwanted $global" ;;
    show) words="--files $global" ;;
    verify) words="--deep --repair --rate $global" ;;
    pin) words="--reason $global" ;;
    rm) words="--yes --reason $global" ;;
    path) words="--revision --git $global" ;;
    gc) words="--dry-run --trust-index $global" ;;
    index) words="rebuild $global" ;;
    token) words="create ls revoke --repos --gated --private --expires $global" ;;
    config) words="check print $global" ;;
    *) words=$global ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _hubmirror hubmirror
