/**
 * What glibc 2.41 has in UTF-8 (its SUPPORTED), as `language_territory/territory`. A later release may have more, an earlier one
 * less, by a handful.
 */
const territories = `
aa_DJ/ER/ET af_ZA agr_PE ak_GH am_ET an_ES anp_IN ar_AE/BH/DZ/EG/IN/IQ/JO/KW/LB/LY/MA/OM/QA/SA/SD/SS/SY/TN/YE as_IN
ast_ES ayc_PE az_AZ/IR be_BY bem_ZM ber_DZ/MA bg_BG bhb_IN bho_IN/NP bi_VU bn_BD/IN bo_CN/IN br_FR brx_IN bs_BA byn_ER
ca_AD/ES/FR/IT ce_RU chr_US ckb_IQ cmn_TW crh_RU/UA cs_CZ csb_PL cv_RU cy_GB da_DK de_AT/BE/CH/DE/IT/LI/LU doi_IN
dsb_DE dv_MV dz_BT el_CY/GR en_AG/AU/BW/CA/DK/GB/HK/IE/IL/IN/NG/NZ/PH/SC/SG/US/ZA/ZM/ZW
es_AR/BO/CL/CO/CR/CU/DO/EC/ES/GT/HN/MX/NI/PA/PE/PR/PY/SV/US/UY/VE et_EE eu_ES/FR fa_IR ff_SN fi_FI fil_PH fo_FO
fr_BE/CA/CH/FR/LU fur_IT fy_DE/NL ga_IE gbm_IN gd_GB gez_ER/ET gl_ES gu_IN gv_GB ha_NG hak_TW he_IL hi_IN hif_FJ
hne_IN hr_HR hsb_DE ht_HT hu_HU hy_AM ia_FR id_ID ig_NG ik_CA is_IS it_CH/IT iu_CA ja_JP ka_GE kab_DZ kk_KZ kl_GL
km_KH kn_IN ko_KR kok_IN ks_IN ku_TR kv_RU kw_GB ky_KG lb_LU lg_UG li_BE/NL lij_IT ln_CD lo_LA lt_LT ltg_LV lv_LV
lzh_TW mag_IN mai_IN/NP mdf_RU mfe_MU mg_MG mhr_RU mi_NZ miq_NI mjw_IN mk_MK ml_IN mn_MN mni_IN mnw_MM mr_IN ms_MY
mt_MT my_MM nan_TW nb_NO nds_DE/NL ne_NP nhn_MX niu_NU/NZ nl_AW/BE/NL nn_NO nr_ZA nso_ZA oc_FR om_ET/KE or_IN os_RU
pa_IN/PK pap_AW/CW pl_PL ps_AF pt_BR/PT quz_PE raj_IN rif_MA ro_RO ru_RU/UA rw_RW sa_IN sah_RU sat_IN sc_IT scn_IT
sd_IN se_NO sgs_LT shn_MM shs_CA si_LK sid_ET sk_SK sl_SI sm_WS so_DJ/ET/KE/SO sq_AL/MK sr_ME/RS ss_ZA ssy_ER st_ZA
su_ID sv_FI/SE sw_KE/TZ szl_PL ta_IN/LK tcy_IN te_IN tg_TJ th_TH the_NP ti_ER/ET tig_ER tk_TM tl_PH tn_ZA to_TO tpi_PG
tr_CY/TR ts_ZA tt_RU ug_CN uk_UA unm_US ur_IN/PK uz_UZ ve_ZA vi_VN wa_BE wae_CH wal_ET wo_SN xh_ZA yi_US yo_NG yue_HK
yuw_PG zgh_MA zh_CN/HK/SG/TW zu_ZA
`;

/** `de_DE.UTF-8` and its like, and `C.UTF-8`. */
export const knownLocales: readonly string[] = ['C', ...territories.trim().split(/\s+/).flatMap(spellOut)].map(
  (name) => `${name}.UTF-8`,
);

function spellOut(group: string): string[] {
  const [language = '', all = ''] = group.split('_');
  return all.split('/').map((territory) => `${language}_${territory}`);
}
