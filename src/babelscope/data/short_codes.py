"""The two letters of languages that FLORES, NLLB and ISO 639-3 write with three."""

_PAIRS = """
afr-af aka-ak als-sq amh-am arb-ar asm-as ast-ast ayr-ay azj-az bak-ba bam-bm bel-be ben-bn bod-bo bos-bs bre-br bul-bg
cat-ca ceb-ceb ces-cs cym-cy dan-da deu-de dzo-dz ell-el eng-en epo-eo est-et eus-eu ewe-ee fao-fo fij-fj fin-fi fra-fr
fry-fy fuv-ff gla-gd gle-ga glg-gl grn-gn guj-gu hat-ht hau-ha heb-he hin-hi hrv-hr hun-hu hye-hy ibo-ig ilo-ilo ind-id
isl-is ita-it jav-jv jpn-ja kan-kn kas-ks kat-ka kaz-kk khk-mn khm-km kik-ki kin-rw kir-ky kmr-ku kor-ko lao-lo lim-li
lin-ln lit-lt ltz-lb lug-lg lvs-lv mal-ml mar-mr mkd-mk mlt-mt mri-mi mya-my nld-nl nno-nn nob-no npi-ne nso-ns nya-ny
oci-oc ory-or pan-pa pbt-ps pes-fa plt-mg pol-pl por-pt quy-qu ron-ro run-rn rus-ru sag-sg san-sa sin-si slk-sk slv-sl
smo-sm sna-sn snd-sd som-so sot-st spa-es srd-sc srp-sr ssw-ss sun-su swe-sv swh-sw tam-ta tat-tt tel-te tgk-tg tgl-tl
tha-th tir-ti tsn-tn tso-ts tuk-tk tur-tr twi-tw uig-ug ukr-uk urd-ur uzn-uz vie-vi wol-wo xho-xh ydd-yi yor-yo zho-zh
zsm-ms zul-zu
"""
SHORT = dict(pair.split("-") for pair in _PAIRS.split())
"""ISO 639-1, or what M2M-100 and mBART call those that it does not have."""
