include(GNUInstallDirs)
install(TARGETS hubmirror RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/config/hubmirror.toml DESTINATION ${CMAKE_INSTALL_DATADIR}/hubmirror)
# Not beside hubmirror.toml: there they would be in force.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/config/policies DESTINATION ${CMAKE_INSTALL_DATADIR}/hubmirror/examples)
# Compiled in; here to be read, and to be copied and changed.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/config/licences DESTINATION ${CMAKE_INSTALL_DATADIR}/hubmirror/examples PATTERN spdx.txt EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/man/hubmirror.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/completions/hubmirror.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME hubmirror)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/completions/_hubmirror DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/completions/hubmirror.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/operations.md ${PROJECT_SOURCE_DIR}/docs/policies.md ${PROJECT_SOURCE_DIR}/docs/ecosystem.md ${PROJECT_SOURCE_DIR}/docs/origins.md ${PROJECT_SOURCE_DIR}/docs/licences.md ${PROJECT_SOURCE_DIR}/docs/lineage.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/packaging/systemd/hubmirror.service ${PROJECT_SOURCE_DIR}/packaging/systemd/hubmirror.socket DESTINATION lib/systemd/system)
