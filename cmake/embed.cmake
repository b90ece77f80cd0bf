# Text files into a .cpp. As a script (cmake -DOUT=… -DNAME=… -DFILES=a|b -P embed.cmake) it writes `OUT`; included, it
# gives hm_embed(). The same files give the same bytes, whatever machine they lie on.
if(CMAKE_SCRIPT_MODE_FILE AND NAME)
  set(text "// Written by cmake/embed.cmake.\n#include <span>\n\n#include \"base/embedded.hpp\"\n\nnamespace hm::embedded {\nstd::span<const EmbeddedFile> ${NAME}();\nnamespace {\nconstexpr EmbeddedFile kFiles[] = {\n")
  string(REPLACE "|" ";" files "${FILES}")
  foreach(file ${files})
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${hex}")
    string(REGEX REPLACE "(................................................................)" "\\1\"\n     \"" bytes "${bytes}")
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    # The size is given, because a compiler that counts a long text itself gives up.
    string(APPEND text "    {\"${name}\", {\"${bytes}\", ${size}}},\n")
  endforeach()
  string(APPEND text "};\n}  // namespace\nstd::span<const EmbeddedFile> ${NAME}() { return kFiles; }\n}  // namespace hm::embedded\n")
  file(WRITE ${OUT} "${text}")
  return()
endif()

# hm_embed(provenance origins FILES config/origins/curated.csv …): hm::embedded::origins(), part of the library hm_provenance.
function(hm_embed library name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  list(TRANSFORM ARG_FILES PREPEND ${PROJECT_SOURCE_DIR}/)
  list(JOIN ARG_FILES "|" joined)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cpp)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAME=${name} "-DFILES=${joined}" -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${ARG_FILES} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(hm_${library} PRIVATE ${out})
  set_source_files_properties(${out} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
