# cmake -D OUT=x.cpp -D FILES="a;b" -P embed.cmake: a source that holds the files as texts, for provenance/licence/embedded.hpp. The same files give the same source.
set(texts "")
set(table "")
set(i 0)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(APPEND texts "constexpr char kText${i}[] = R\"hm_file(${text})hm_file\";\n")
  # The size is given, because a compiler that counts a long text itself gives up.
  string(APPEND table "    {\"${name}\", {kText${i}, sizeof kText${i} - 1}},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"provenance/licence/embedded.hpp\"\n\nnamespace hm::provenance::licence {\nnamespace {\n${texts}constexpr EmbeddedFile kFiles[] = {\n${table}};\n}  // namespace\nstd::span<const EmbeddedFile> embedded_files() { return kFiles; }\n}  // namespace hm::provenance::licence\n")
