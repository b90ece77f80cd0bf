# cmake -D OUT=x.cpp -D FILES="a;b" -P embed.cmake: a source that holds the files as texts, for provenance/licence/embedded.hpp. The same files give the same source.
set(code "#include \"provenance/licence/embedded.hpp\"\n\nnamespace hm::provenance::licence {\nstd::span<const EmbeddedFile> embedded_files() {\n  static constexpr EmbeddedFile kFiles[] = {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(APPEND code "{\"${name}\", R\"hm_file(${text})hm_file\"},\n")
endforeach()
string(APPEND code "  };\n  return kFiles;\n}\n}  // namespace hm::provenance::licence\n")
file(WRITE "${OUT}" "${code}")
